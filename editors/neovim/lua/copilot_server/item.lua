--- The server's suggestions for a position, and how much of them the buffer already has.

local text_units = require('copilot_server.text')

local M = {}

---@class copilot_server.Cursor
---@field bufnr integer
---@field tick integer
---@field row integer from 0
---@field col integer bytes

---@class copilot_server.Item
---@field raw lsp.InlineCompletionItem what the server sent
---@field text string its text, lines ended by \n
---@field head string what the server's text has before that
---@field start_col integer bytes
---@field replaced string what follows the cursor and is replaced when it is accepted

---@class copilot_server.Suggestion
---@field bufnr integer
---@field client_id integer
---@field row integer where the text begins, from 0
---@field before string what preceded the cursor on its line
---@field after string what followed it
---@field items copilot_server.Item[]
---@field index integer
---@field invoked boolean whether it was explicitly invoked and so may have several candidates
---@field reported table<integer, true> the items reported to the server as shown

---@return copilot_server.Cursor
function M.cursor()
  local bufnr = vim.api.nvim_get_current_buf()
  local position = vim.api.nvim_win_get_cursor(0)
  return { bufnr = bufnr, tick = vim.b[bufnr].changedtick, row = position[1] - 1, col = position[2] }
end

--- Read an item for the position that was requested.
---@param raw lsp.InlineCompletionItem
---@param at copilot_server.Cursor
---@param line string
---@param encoding string
---@return copilot_server.Item? item nil if it cannot be shown there
local function read_item(raw, at, line, encoding)
  local text = raw.insertText
  if type(text) ~= 'string' then
    return
  end
  local start_col, end_col = at.col, at.col
  local range = raw.range
  if range then
    if range.start.line ~= at.row or range['end'].line ~= at.row then
      return
    end
    start_col = text_units.byte_column(line, range.start.character, encoding)
    end_col = text_units.byte_column(line, range['end'].character, encoding)
  end
  if start_col > at.col or end_col < at.col then
    return
  end
  return {
    raw = raw,
    text = (text:gsub('\r\n', '\n')),
    head = '',
    start_col = start_col,
    replaced = line:sub(at.col + 1, end_col),
  }
end

--- Read an answer for the position that was requested.
---@param result lsp.InlineCompletionList|lsp.InlineCompletionItem[]?
---@param at copilot_server.Cursor
---@param client vim.lsp.Client
---@param invoked boolean
---@return copilot_server.Suggestion
function M.read(result, at, client, invoked)
  local line = vim.api.nvim_buf_get_lines(at.bufnr, at.row, at.row + 1, false)[1]
  local items = {}
  for _, raw in ipairs(result and (result.items or result) or {}) do
    items[#items + 1] = read_item(raw, at, line, client.offset_encoding)
  end
  return {
    bufnr = at.bufnr,
    client_id = client.id,
    row = at.row,
    before = line:sub(1, at.col),
    after = line:sub(at.col + 1),
    items = items,
    index = 1,
    invoked = invoked,
    reported = {},
  }
end

--- The current item of a suggestion, as if it had been suggested for the cursor's line as it is now.
---@param suggestion copilot_server.Suggestion
---@return copilot_server.Item
function M.continued(suggestion)
  local item, now = suggestion.items[suggestion.index], M.cursor()
  if now.row == suggestion.row then
    return item
  end
  local rest, typed = M.rest(suggestion, suggestion.index)
  return {
    raw = item.raw,
    text = rest,
    head = item.head .. typed,
    start_col = now.col,
    replaced = item.replaced,
  }
end

--- Whether the text around the cursor is what an item was made for, except between the item's beginning and
--- the cursor.
---@param suggestion copilot_server.Suggestion
---@param item copilot_server.Item
---@param now copilot_server.Cursor
---@return boolean
local function surroundings_agree(suggestion, item, now)
  if now.bufnr ~= suggestion.bufnr or now.row < suggestion.row then
    return false
  elseif now.row == suggestion.row and now.col < item.start_col then
    return false
  end
  local first = vim.api.nvim_buf_get_lines(now.bufnr, suggestion.row, suggestion.row + 1, false)[1] or ''
  return vim.api.nvim_get_current_line():sub(now.col + 1) == suggestion.after
    and first:sub(1, item.start_col) == suggestion.before:sub(1, item.start_col)
end

--- What the examples of the function say of an item, for the screen.
---@param raw lsp.InlineCompletionItem|{examples?: {mark: string, message: string}}
---@return [string, string][] chunks text and highlight group; none where no examples were checked
function M.about_examples(raw)
  local note = type(raw.examples) == 'table' and raw.examples or {}
  local look = ({
    passed = { '✓', 'DiagnosticOk' },
    unchecked = { '–', 'DiagnosticHint' },
    failed = { '✗', 'DiagnosticError' },
  })[note.mark]
  if not look or type(note.message) ~= 'string' then
    return {}
  end
  return { { ('%s %s '):format(look[1], note.message), look[2] } }
end

--- The part of an item that is not in the buffer yet.
---@param suggestion copilot_server.Suggestion
---@param index integer
---@return string? rest nil if the buffer disagrees with it or has all of it
---@return string? typed
function M.rest(suggestion, index)
  local item, now = suggestion.items[index], M.cursor()
  if not item or not surroundings_agree(suggestion, item, now) then
    return
  end
  local begun = vim.api.nvim_buf_get_text(now.bufnr, suggestion.row, item.start_col, now.row, now.col, {})
  local typed = table.concat(begun, '\n')
  if #typed < #item.text and vim.startswith(item.text, typed) then
    return item.text:sub(#typed + 1), typed
  end
end

return M
