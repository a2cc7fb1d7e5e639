--- What the sources for blink.cmp and nvim-cmp have in common: they ask the plugin's own server, and report what
--- was shown and accepted.

local items = require('copilot_server.item')
local menu_item = require('copilot_server.sources.menu_item')
local server = require('copilot_server.server')

local M = {}

M.INVOKED, M.AUTOMATIC = 1, 2

---@type fun()? cancels the request of the menu that is running
local cancel

--- Whether there are suggestions in the current buffer.
---@return boolean
function M.is_available()
  return vim.startswith(vim.api.nvim_get_mode().mode, 'i') and server.client(vim.api.nvim_get_current_buf()) ~= nil
end

--- Cancel the request that is running.
function M.cancel()
  if cancel then
    cancel()
    cancel = nil
  end
end

---@param at copilot_server.Cursor
---@return boolean
local function is_current(at)
  return vim.api.nvim_buf_is_valid(at.bufnr) and vim.deep_equal(at, items.cursor())
end

--- Request the entries for the cursor, in place of an earlier request.
---@param kind integer
---@param word_col integer where the word begins that the plugin filters by, in bytes
---@param use fun(entries: table[]) called once, with none if the text has changed by then; not if it is cancelled
---@return fun()? cancel
function M.entries(kind, word_col, use)
  M.cancel()
  local at = items.cursor()
  local client = server.client(at.bufnr)
  local asked = client
    and require('copilot_server.shared').ask(client, at, kind, function(err, result)
      local fits = not err and is_current(at)
      use(fits and menu_item.entries(items.read(result, at, client, kind == M.INVOKED), word_col) or {})
    end)
  if not asked then
    use({})
    return
  end
  cancel = asked
  return asked
end

---@param item table
---@return vim.lsp.Client?
---@return copilot_server.MenuData?
local function origin(item)
  local data = menu_item.data(item)
  return data and vim.lsp.get_client_by_id(data.client_id), data
end

--- Report that an entry was shown as a whole.
---@param item table
function M.shown(item)
  local client, data = origin(item)
  if client and data then
    server.send(client, 'textDocument/didShowCompletion', { item = data.raw })
  end
end

--- Report that an entry was accepted: run its command.
---@param item table
function M.accepted(item)
  local client, data = origin(item)
  if client and data then
    require('copilot_server.accept').run_command(client, data.raw.command, data.bufnr)
  end
end

vim.api.nvim_create_autocmd('InsertLeave', {
  group = vim.api.nvim_create_augroup('copilot_server_sources', {}),
  callback = M.cancel,
})

return M
