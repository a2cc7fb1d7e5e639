--- copilot-server in Neovim: the functions for a user's configuration. See |copilot_server|.

local config = require('copilot_server.config')
local notice = require('copilot_server.notice')
local server = require('copilot_server.server')
local suggestion = require('copilot_server.suggestion')

local M = {}

--- Set options, and start the server for open buffers and for those opened later.
---@param options? table
function M.setup(options)
  config.set(options)
  server.wanted()
  M.watch()
  if vim.lsp.enable then
    vim.lsp.enable(server.NAME)
    return
  end
  vim.api.nvim_create_autocmd('FileType', {
    group = vim.api.nvim_create_augroup('copilot_server_enable', {}),
    callback = function(event)
      require('copilot_server.attach').update(event.buf)
    end,
  })
  require('copilot_server.attach').attach_all()
end

local watching = false

---@param events string|string[]
---@param callback fun(event: table)
---@param pattern? string
local function on(events, callback, pattern)
  local group = vim.api.nvim_create_augroup('copilot_server', { clear = false })
  vim.api.nvim_create_autocmd(events, { group = group, pattern = pattern, callback = callback })
end

---@param event table
local function on_attach(event)
  local client = vim.lsp.get_client_by_id(event.data.client_id)
  if not client or client.name ~= server.NAME then
    return
  end
  server.adopt(client)
  require('copilot_server.keymaps').define()
  if vim.lsp.inline_completion then
    vim.lsp.inline_completion.enable(false, { client_id = client.id }) -- otherwise each would be shown twice
  end
  require('copilot_server.status').announce()
  require('copilot_server.cursor').moved()
  require('copilot_server.focus').changed()
  suggestion.refresh()
  if event.buf == vim.api.nvim_get_current_buf() then
    require('copilot_server.explicit').server_started()
  end
end

---@param event table
local function on_detach(event)
  if server.is_ours(event.data.client_id) then
    suggestion.detached(event.buf)
    require('copilot_server.focus').changed()
  end
end

---@param event table
local function on_completed(event)
  local path = { 'user_data', 'nvim', 'lsp', 'completion_item', 'textEdit', 'newText' }
  local text = vim.tbl_get(vim.v.completed_item or {}, unpack(path))
  if type(text) == 'string' and text:find('\n') and server.client(event.buf) then
    vim.schedule(require('copilot_server.menu').break_lines)
  end
end

---@param event table
local function follow_cursor(event)
  if server.client(event.buf) then
    require('copilot_server.cursor').moved()
  end
end

---@param event table
local function refresh(event)
  if server.client(event.buf) then
    suggestion.refresh()
  end
end

---@param event table
local function text_changed(event)
  suggestion.text_changed()
  notice.clear()
  refresh(event)
end

---@param event table
local function cursor_moved(event)
  notice.moved()
  refresh(event)
end

local function left()
  notice.clear()
  suggestion.clear()
end

--- Follow what is edited; called when the server is enabled.
function M.watch()
  if watching then
    return
  end
  watching = true
  require('copilot_server.ghost').define_highlights()
  on('ColorScheme', require('copilot_server.ghost').define_highlights)
  on('LspAttach', on_attach)
  on('LspDetach', on_detach)
  on('TextChanged', suggestion.text_changed)
  on({ 'TextChangedI', 'TextChangedP' }, text_changed)
  on('CursorMovedI', cursor_moved)
  on('CompleteChanged', refresh)
  -- These events precede the change that they announce.
  on({ 'InsertEnter', 'CompleteDone' }, vim.schedule_wrap(refresh))
  on('CompleteDone', on_completed)
  on({ 'InsertLeave', 'BufLeave' }, left)
  on({ 'BufEnter', 'WinEnter', 'FocusGained' }, require('copilot_server.focus').changed)
  on('InsertEnter', require('copilot_server.keymaps').define_requests)
  on('BufEnter', function(event)
    require('copilot_server.attach').enter(event.buf)
  end)
  on({ 'CursorMoved', 'TextChanged', 'BufEnter', 'WinEnter', 'InsertLeave' }, follow_cursor)
  on('FileType', function(event)
    require('copilot_server.attach').filetype_changed(event.buf)
  end)
  on('BufWipeout', function(event)
    require('copilot_server.attach').forget(event.buf)
  end)
  require('copilot_server.menus').watch(on, function()
    refresh({ buf = vim.api.nvim_get_current_buf() })
  end)
end

--- Accept a suggestion from a mapping; returns `true` if there was one.
---@param part copilot_server.Part
---@return boolean
local function accept(part)
  if not suggestion.is_visible() then
    return false
  end
  local name = part == 'all' and 'accept' or 'accept-' .. part
  local keys = vim.keycode(('<Plug>(copilot-server-%s)'):format(name))
  vim.api.nvim_feedkeys(keys, 'mi', false)
  return true
end

--- Accept the suggestion.
---@return boolean accepted
function M.accept()
  return accept('all')
end

--- Accept its next word.
---@return boolean accepted
function M.accept_word()
  return accept('word')
end

--- Accept its next line.
---@return boolean accepted
function M.accept_line()
  return accept('line')
end

--- Show the next candidate.
function M.next()
  suggestion.cycle(1)
end

--- Show the previous candidate.
function M.previous()
  suggestion.cycle(-1)
end

--- Hide the suggestion until the text changes.
---@return boolean dismissed
function M.dismiss()
  return suggestion.dismiss()
end

--- Request suggestions now.
function M.trigger()
  require('copilot_server.explicit').trigger()
end

--- Hide ghost text, such as while another plugin shows something in its place.
---@param who? string the caller, who ends this by `unhide()` with the same name
function M.hide(who)
  require('copilot_server.menus').hide(who or '', true)
end

--- End a `hide()` of the same caller.
---@param who? string
function M.unhide(who)
  require('copilot_server.menus').hide(who or '', false)
end

--- Suggest nothing by itself for a while; explicit requests are still answered.
---@param minutes? number default: 30
function M.snooze(minutes)
  require('copilot_server.settings').snooze(minutes or 30)
end

--- End a snooze.
function M.resume()
  require('copilot_server.settings').snooze(0)
end

--- Suggest while the user types, or only if asked.
---@param on? boolean default: true
function M.automatic(on)
  require('copilot_server.settings').automatic(on ~= false)
end

--- Whether a suggestion is on the screen.
---@return boolean
function M.is_visible()
  return suggestion.is_visible()
end

--- Switch suggestions on; in the current buffer, for its filetype, or everywhere.
---@param scope? copilot_server.Scope default: global
function M.enable(scope)
  require('copilot_server.attach').switch(true, scope)
end

--- Switch suggestions off.
---@param scope? copilot_server.Scope default: global
function M.disable(scope)
  require('copilot_server.attach').switch(false, scope)
end

--- Switch suggestions on if they are off, and off if they are on.
---@param scope? copilot_server.Scope default: buffer
function M.toggle(scope)
  scope = scope or 'buffer'
  local attach = require('copilot_server.attach')
  attach.switch(not attach.is_enabled(scope), scope)
end

--- Whether there are suggestions in the current buffer, for its filetype, or at all.
---@param scope? copilot_server.Scope default: buffer
---@return boolean
function M.is_enabled(scope)
  return require('copilot_server.attach').is_enabled(scope)
end

--- A few words for the statusline.
---@return string
function M.statusline()
  return require('copilot_server.status').statusline()
end

--- The server's status.
---@return copilot_server.Status
function M.status()
  return require('copilot_server.status').get()
end

--- Show several suggestions in a window.
function M.panel()
  require('copilot_server.panel').open()
end

--- Stop the server and start it again.
function M.restart()
  server.restart()
end

return M
