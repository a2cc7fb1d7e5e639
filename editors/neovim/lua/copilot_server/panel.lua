--- A window with several suggestions to choose from.

local server = require('copilot_server.server')

local M = {}

local METHOD = 'textDocument/copilotPanelCompletion'
local FILETYPE = 'copilot_server_panel'
local NAMESPACE = vim.api.nvim_create_namespace('copilot_server_panel')
local KEYS = '<CR> accepts, ]] [[ move, q closes'

---@class copilot_server.Panel
---@field bufnr integer the panel's buffer
---@field source integer the buffer that the suggestions are for
---@field window integer the window of the source
---@field mark integer the extmark in the source at the position of the suggestions
---@field client vim.lsp.Client
---@field token string
---@field line string the text before the cursor there
---@field after string the text after it
---@field request? integer the id of the request
---@field was_inserting boolean
---@field items lsp.InlineCompletionItem[]
---@field rows integer[] the row in which each item begins, from 1
---@field done boolean
---@field problem? string

---@type copilot_server.Panel?
local panel
local opened = 0

---@param text string
---@return string[]
local function lines_of(text)
  return vim.split(text:gsub('\r\n', '\n'), '\n', { plain = true })
end

---@param shown copilot_server.Panel
---@return string
local function title(shown)
  local count = #shown.items
  if shown.problem then
    return ' copilot-server: ' .. shown.problem
  elseif not shown.done then
    return (' %d so far, thinking …'):format(count)
  elseif count == 0 then
    return ' No suggestions here · q closes'
  end
  return (' %d suggestion%s · %s'):format(count, count == 1 and '' or 's', KEYS)
end

---@param shown copilot_server.Panel
local function set_title(shown)
  for _, window in ipairs(vim.fn.win_findbuf(shown.bufnr)) do
    vim.wo[window].winbar = title(shown):gsub('%%', '%%%%') .. '%<'
  end
end

---@param shown copilot_server.Panel
---@param row integer from 0; the empty line before a suggestion
---@param number integer
---@param item table
local function separate(shown, row, number, item)
  local parts = { { ('── %d '):format(number), 'FloatBorder' } }
  vim.list_extend(parts, require('copilot_server.item').about_examples(item))
  table.insert(parts, { ('─'):rep(40), 'FloatBorder' })
  vim.api.nvim_buf_set_extmark(shown.bufnr, NAMESPACE, row, 0, {
    virt_text = parts,
    virt_text_pos = 'overlay',
  })
end

---@param shown copilot_server.Panel
local function render(shown)
  if not vim.api.nvim_buf_is_valid(shown.bufnr) then
    return
  end
  local all = {}
  shown.rows = {}
  for _, item in ipairs(shown.items) do
    table.insert(all, '')
    table.insert(shown.rows, #all + 1)
    vim.list_extend(all, lines_of(shown.line .. item.insertText))
  end
  vim.bo[shown.bufnr].modifiable = true
  vim.api.nvim_buf_set_lines(shown.bufnr, 0, -1, false, all)
  vim.bo[shown.bufnr].modifiable = false
  vim.api.nvim_buf_clear_namespace(shown.bufnr, NAMESPACE, 0, -1)
  for number, row in ipairs(shown.rows) do
    separate(shown, row - 2, number, shown.items[number])
  end
  set_title(shown)
end

---@param shown copilot_server.Panel
---@return integer number the number of the suggestion under the cursor
local function number_at_cursor(shown)
  local row = vim.api.nvim_win_get_cursor(0)[1]
  local number = 1
  for index, first in ipairs(shown.rows) do
    if first <= row then
      number = index
    end
  end
  return number
end

---@param shown copilot_server.Panel
---@param step integer
local function move(shown, step)
  local count = #shown.rows
  if count > 0 then
    local number = (number_at_cursor(shown) - 1 + step) % count + 1
    vim.api.nvim_win_set_cursor(0, { shown.rows[number], 0 })
  end
end

--- Cancel the request, and remove what the panel has put into other buffers.
---@param shown copilot_server.Panel
local function end_panel(shown)
  if panel == shown then
    panel = nil
  end
  if shown.request and not shown.done then
    server.cancel(shown.client, shown.request)
    shown.done = true
  end
  if vim.api.nvim_buf_is_valid(shown.source) then
    vim.api.nvim_buf_del_extmark(shown.source, NAMESPACE, shown.mark)
  end
end

--- Close the panel.
function M.close()
  local shown = panel
  if not shown then
    return
  end
  end_panel(shown)
  if vim.api.nvim_buf_is_valid(shown.bufnr) then
    vim.api.nvim_buf_delete(shown.bufnr, { force = true })
  end
end

--- How many bytes after the cursor a suggestion replaces.
---@param shown copilot_server.Panel
---@param item lsp.InlineCompletionItem
---@return integer
local function replaced_bytes(shown, item)
  local range = item.range
  if not range or range['end'].line ~= range.start.line then
    return 0
  end
  local text_units = require('copilot_server.text')
  local line = shown.line .. shown.after
  local end_col = text_units.byte_column(line, range['end'].character, shown.client.offset_encoding)
  return math.max(0, end_col - #shown.line)
end

--- Where the suggestions belong now. The lines above may have changed, but not the one that they replace a
--- part of.
---@param shown copilot_server.Panel
---@return integer? row from 0; nil if there is no such line any more
---@return integer? col
local function position_in_source(shown)
  local row, col = unpack(vim.api.nvim_buf_get_extmark_by_id(shown.source, NAMESPACE, shown.mark, {}))
  local line = row and vim.api.nvim_buf_get_lines(shown.source, row, row + 1, false)[1]
  if line and col == #shown.line and line == shown.line .. shown.after then
    return row, col
  end
end

---@param shown copilot_server.Panel
---@param item lsp.InlineCompletionItem
---@param row integer from 0
---@param col integer
local function put_in(shown, item, row, col)
  local lines = lines_of(item.insertText)
  local end_col = col + replaced_bytes(shown, item)
  vim.api.nvim_buf_set_text(shown.source, row, col, row, end_col, lines)
  local last_col = (#lines == 1 and col or 0) + #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { row + #lines, last_col })
  require('copilot_server.accept').run_command(shown.client, item.command, shown.source)
  if shown.was_inserting then
    vim.cmd(last_col >= #vim.api.nvim_get_current_line() and 'startinsert!' or 'startinsert')
  end
end

--- Insert the suggestion under the cursor at the position it was requested for, and close the panel.
function M.accept()
  local shown = panel
  local item = shown and shown.items[number_at_cursor(shown)]
  if not shown or not item then
    return
  end
  local row, col
  if vim.api.nvim_buf_is_loaded(shown.source) then
    row, col = position_in_source(shown)
  end
  M.close()
  if vim.api.nvim_win_is_valid(shown.window) then
    vim.api.nvim_set_current_win(shown.window)
  end
  if vim.api.nvim_buf_is_loaded(shown.source) then
    vim.api.nvim_win_set_buf(0, shown.source)
  end
  if row and col then
    put_in(shown, item, row, col)
  else
    server.notify('the line has changed since; open the panel again', vim.log.levels.WARN)
  end
end

---@param bufnr integer
local function map_keys(bufnr)
  local function map(key, action, desc)
    vim.keymap.set('n', key, action, { buffer = bufnr, nowait = true, desc = desc })
  end
  map('<CR>', M.accept, 'Accept this suggestion')
  map('q', M.close, 'Close')
  map(']]', function()
    move(panel, 1)
  end, 'Next suggestion')
  map('[[', function()
    move(panel, -1)
  end, 'Previous suggestion')
end

---@param filetype string the source's filetype, which the panel uses for highlighting
---@return integer bufnr
local function open_window(filetype)
  vim.cmd('botright vertical new')
  local bufnr = vim.api.nvim_get_current_buf()
  vim.bo[bufnr].buftype = 'nofile'
  vim.bo[bufnr].bufhidden = 'wipe'
  vim.bo[bufnr].swapfile = false
  vim.bo[bufnr].filetype = FILETYPE
  local language = vim.treesitter.language.get_lang(filetype)
  if not language or not pcall(vim.treesitter.start, bufnr, language) then
    vim.bo[bufnr].syntax = filetype
  end
  for option, value in pairs({
    number = false,
    relativenumber = false,
    signcolumn = 'no',
    list = false,
    wrap = false,
  }) do
    vim.api.nvim_set_option_value(option, value, { scope = 'local', win = 0 })
  end
  map_keys(bufnr)
  return bufnr
end

--- Add the candidates of a `$/progress` if they belong to the panel.
---@param result table
---@return boolean taken
function M.take(result)
  local shown = panel
  local value = type(result) == 'table' and result.value
  local items = type(value) == 'table' and value.items
  if type(items) ~= 'table' then
    return false
  end
  if shown and result.token == shown.token then
    vim.list_extend(shown.items, items)
    render(shown)
  end
  return true
end

--- Show in the title why there is nothing to show.
---@param shown copilot_server.Panel
local function explain(shown)
  require('copilot_server.reason').ask(shown.client, shown.source, function(words)
    shown.problem = words
    set_title(shown)
  end)
end

---@param shown copilot_server.Panel
---@param params table
local function ask(shown, params)
  shown.request = server.request(shown.client, METHOD, params, function(err, result)
    if shown.done then
      return
    end
    shown.done = true
    shown.problem = err and err.message or nil
    vim.list_extend(shown.items, result and result.items or {})
    render(shown)
    if not err and #shown.items == 0 then
      explain(shown)
    end
  end, shown.source)
end

--- What a panel for the cursor in the current window is about.
---@param client vim.lsp.Client
---@return copilot_server.Panel
local function begin(client)
  local source, line = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_line()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  opened = opened + 1
  return {
    source = source,
    window = vim.api.nvim_get_current_win(),
    mark = vim.api.nvim_buf_set_extmark(source, NAMESPACE, row - 1, col, { right_gravity = false }),
    client = client,
    token = ('copilot-server-panel-%d'):format(opened),
    line = line:sub(1, col),
    after = line:sub(col + 1),
    was_inserting = vim.startswith(vim.api.nvim_get_mode().mode, 'i'),
    items = {},
    rows = {},
    done = false,
  }
end

--- Open the panel for the cursor in the current window.
function M.open()
  local source = vim.api.nvim_get_current_buf()
  require('copilot_server.attach').attach_on_request(source)
  local client = server.client(source)
  if not client then
    require('copilot_server.reason').explain_unattached()
    return
  end
  M.close()
  require('copilot_server.suggestion').clear()
  require('copilot_server.sync').ensure(client, source)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  local shown = begin(client)
  params.partialResultToken = shown.token
  vim.cmd.stopinsert()
  shown.bufnr = open_window(vim.bo[source].filetype)
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = shown.bufnr,
    callback = function()
      end_panel(shown)
    end,
  })
  panel = shown
  render(shown)
  ask(shown, params)
end

return M
