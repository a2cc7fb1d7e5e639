--- Inserting a suggestion, or a part of it, into the buffer, and reporting that to the server.

local items = require('copilot_server.item')
local server = require('copilot_server.server')
local text_units = require('copilot_server.text')

local M = {}

---@alias copilot_server.Part 'all'|'word'|'line'

---@type table<copilot_server.Part, fun(text: string): string>
local PARTS = {
  all = function(text)
    return text
  end,
  word = text_units.first_word,
  line = text_units.first_line,
}

--- Insert a text at the cursor, in place of what it replaces, as a paste, which `.` repeats.
---@param text string
---@param replaced string
local function insert(text, replaced)
  local now = items.cursor()
  if replaced ~= '' then
    vim.api.nvim_buf_set_text(now.bufnr, now.row, now.col, now.row, now.col + #replaced, {})
  end
  vim.api.nvim_paste(text, false, -1)
end

--- Run the command of an item that was accepted.
---@param client vim.lsp.Client
---@param command lsp.Command?
---@param bufnr integer
function M.run_command(client, command, bufnr)
  if command then
    local params = { command = command.command, arguments = command.arguments }
    server.request(client, 'workspace/executeCommand', params, function() end, bufnr)
  end
end

---@param client vim.lsp.Client
---@param item copilot_server.Item
---@param present string the part of its text that is in the buffer now, from its start
local function report_partly_accepted(client, item, present)
  local whole = item.head .. present
  local sent = item.raw.insertText:find('\r\n') and whole:gsub('\n', '\r\n') or whole
  local params = { item = item.raw, acceptedLength = text_units.utf16_length(sent) }
  server.send(client, 'textDocument/didPartiallyAcceptCompletion', params)
end

--- Insert the current item of a suggestion, or its next word or line, at the cursor.
---@param suggestion copilot_server.Suggestion
---@param part copilot_server.Part
---@return boolean whole whether this was all that was left of it
function M.take(suggestion, part)
  local item = suggestion.items[suggestion.index]
  local rest, typed = items.rest(suggestion, suggestion.index)
  if not rest then
    return true
  end
  local taken = PARTS[part](rest)
  local whole = taken == rest
  insert(taken, whole and item.replaced or '')
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  if client and whole then
    M.run_command(client, item.raw.command, suggestion.bufnr)
  elseif client then
    report_partly_accepted(client, item, typed .. taken)
  end
  return whole
end

return M
