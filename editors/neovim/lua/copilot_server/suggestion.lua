--- The suggestion at the cursor: asking for it, following what is typed, accepting it.
---
--- Neovim's own `vim.lsp.inline_completion` waits 200 ms after each key, leaves what no longer fits on the
--- screen meanwhile, and in 0.12.4 accepts it there beside what was typed. Here a key that agrees with the
--- suggestion moves it on at once, and one that does not takes it away at once.

local config = require('copilot_server.config')
local ghost = require('copilot_server.ghost')
local server = require('copilot_server.server')
local text_units = require('copilot_server.text')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED, AUTOMATIC = 1, 2
--- Cancelled, modified, superseded: these say only that another answer is to come.
local MUTED = { [-32800] = true, [-32801] = true, [-32802] = true }

---@class copilot_server.Item
---@field raw lsp.InlineCompletionItem what the server sent
---@field text string its text, lines ended by \n
---@field start_col integer bytes
---@field replaced string what follows the cursor and goes when it is accepted

---@class copilot_server.Suggestion
---@field bufnr integer
---@field client_id integer
---@field row integer where the text begins, from 0
---@field before string what stands before it on its line
---@field after string what follows the cursor on its line
---@field items copilot_server.Item[]
---@field index integer
---@field invoked boolean asked for by a key: several candidates
---@field told table<integer, true> which items the server was told to be on the screen

---@type copilot_server.Suggestion?
local current
---@type { client: vim.lsp.Client, id: integer }?
local pending
---@type uv.uv_timer_t?
local timer

---@class copilot_server.Cursor
---@field bufnr integer
---@field tick integer
---@field row integer
---@field col integer

---@return copilot_server.Cursor
local function cursor_now()
  local bufnr = vim.api.nvim_get_current_buf()
  local position = vim.api.nvim_win_get_cursor(0)
  return { bufnr = bufnr, tick = vim.b[bufnr].changedtick, row = position[1] - 1, col = position[2] }
end

---@return boolean
local function inserting()
  return vim.startswith(vim.api.nvim_get_mode().mode, 'i') and vim.fn.reg_executing() == ''
end

---@return boolean
local function menu_in_the_way()
  return vim.fn.pumvisible() == 1 and not config.get().during_completion
end

--- What of an item is not in the buffer yet.
---@param item copilot_server.Item
---@return string? rest nil when the buffer no longer agrees with it
---@return string? typed
local function rest_of(item)
  local shown = current
  if not shown or vim.api.nvim_get_current_buf() ~= shown.bufnr then
    return
  end
  local now = cursor_now()
  if now.row < shown.row or (now.row == shown.row and now.col < item.start_col) then
    return
  end
  local line = vim.api.nvim_get_current_line()
  local first = vim.api.nvim_buf_get_lines(shown.bufnr, shown.row, shown.row + 1, false)[1] or ''
  if
    line:sub(now.col + 1) ~= shown.after
    or first:sub(1, item.start_col) ~= shown.before:sub(1, item.start_col)
  then
    return
  end
  local typed = vim.api.nvim_buf_get_text(shown.bufnr, shown.row, item.start_col, now.row, now.col, {})
  local begun = table.concat(typed, '\n')
  if vim.startswith(item.text, begun) then
    return item.text:sub(#begun + 1), begun
  end
end

---@return string? rest of the item that is shown
---@return string? typed
---@return copilot_server.Item? item
local function shown_rest()
  local item = current and current.items[current.index]
  if item then
    local rest, typed = rest_of(item)
    if rest and rest ~= '' then
      return rest, typed, item
    end
  end
end

---@param suggestion copilot_server.Suggestion
local function tell_shown(suggestion)
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  if client and not suggestion.told[suggestion.index] then
    suggestion.told[suggestion.index] = true
    server.send(client, 'textDocument/didShowCompletion', { item = suggestion.items[suggestion.index].raw })
  end
end

--- Draw what is left of the current item.
---@return boolean drawn false when there is nothing left that fits
local function draw()
  local rest, _, item = shown_rest()
  if not current or not rest or not item then
    return false
  end
  local now = cursor_now()
  local hint = current.invoked and #current.items > 1 and (' (%d/%d)'):format(current.index, #current.items)
    or nil
  ghost.draw(now, rest, item.replaced, hint)
  tell_shown(current)
  return true
end

local function cancel()
  if timer then
    timer:stop()
    timer:close()
    timer = nil
  end
  if pending then
    server.cancel(pending.client, pending.id)
    pending = nil
  end
end

local function hide()
  if current then
    ghost.clear(current.bufnr)
    current = nil
  end
end

--- Take away what is shown and what was asked for.
function M.clear()
  cancel()
  hide()
end

--- Read an item for the place it was asked for.
---@param raw lsp.InlineCompletionItem
---@param at copilot_server.Cursor
---@param line string
---@param encoding string
---@return copilot_server.Item? item nil when it cannot be shown there
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
    start_col = start_col,
    replaced = line:sub(at.col + 1, end_col),
  }
end

---@param result lsp.InlineCompletionList|lsp.InlineCompletionItem[]?
---@param at copilot_server.Cursor
---@param client vim.lsp.Client
---@param invoked boolean
---@return copilot_server.Suggestion
local function read(result, at, client, invoked)
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
    told = {},
  }
end

--- Ask the server for what fits at the cursor.
---@param kind integer
---@param use fun(suggestion: copilot_server.Suggestion?, err: lsp.ResponseError?)
---@return boolean asked
local function ask(kind, use)
  local at = cursor_now()
  local client = server.client(at.bufnr)
  if not client then
    return false
  end
  cancel()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  local own
  local id = server.request(client, METHOD, params, function(err, result)
    if pending ~= own then
      return
    end
    pending = nil
    if not inserting() or not vim.deep_equal(at, cursor_now()) then
      return
    end
    use(not err and read(result, at, client, kind == INVOKED) or nil, err)
  end, at.bufnr)
  own = id and { client = client, id = id } or nil
  pending = own
  return id ~= nil
end

---@param suggestion copilot_server.Suggestion?
local function show(suggestion)
  hide()
  if suggestion and suggestion.items[1] and not menu_in_the_way() then
    current = suggestion
    if not draw() then
      hide()
    end
  end
end

local function ask_automatically()
  if inserting() and not menu_in_the_way() and not current then
    ask(AUTOMATIC, show)
  end
end

--- The buffer, the cursor or the mode has changed: follow the suggestion, or ask for another.
function M.refresh()
  if not inserting() or menu_in_the_way() then
    M.clear()
  elseif not draw() then
    M.clear()
    timer = vim.defer_fn(function()
      timer = nil
      ask_automatically()
    end, config.get().debounce_ms)
  end
end

--- Whether a suggestion is on the screen and fits.
---@return boolean
function M.is_visible()
  return shown_rest() ~= nil and inserting()
end

--- What of the suggestion is on the screen, for statuslines, completion plugins and tests.
---@return string? text
function M.visible_text()
  return (shown_rest())
end

--- Whether a key that indents should rather do that: the suggestion itself begins with so much indentation.
---@return boolean
function M.begins_with_indent()
  local rest = shown_rest()
  local before = vim.api.nvim_get_current_line():sub(1, vim.api.nvim_win_get_cursor(0)[2])
  if not rest or before:find('%S') then
    return false
  end
  return vim.fn.strdisplaywidth(rest:match('^[ \t]*')) >= vim.fn.shiftwidth()
end

--- Put a text in at the cursor, as a paste that `.` repeats, in the place of what it replaces.
---@param text string
---@param replaced string
local function insert(text, replaced)
  local now = cursor_now()
  if replaced ~= '' then
    vim.api.nvim_buf_set_text(now.bufnr, now.row, now.col, now.row, now.col + #replaced, {})
  end
  vim.api.nvim_paste(text, false, -1)
end

---@param suggestion copilot_server.Suggestion
---@param item copilot_server.Item
local function tell_accepted(suggestion, item)
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  local command = item.raw.command
  if client and command then
    local params = { command = command.command, arguments = command.arguments }
    server.request(client, 'workspace/executeCommand', params, function() end, suggestion.bufnr)
  end
end

---@param suggestion copilot_server.Suggestion
---@param item copilot_server.Item
---@param accepted string the part of its text that is in the buffer now
local function tell_partly_accepted(suggestion, item, accepted)
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  if client then
    local sent = item.raw.insertText:find('\r\n') and accepted:gsub('\n', '\r\n') or accepted
    local params = { item = item.raw, acceptedLength = text_units.utf16_length(sent) }
    server.send(client, 'textDocument/didPartiallyAcceptCompletion', params)
  end
end

---@alias copilot_server.Part 'all'|'word'|'line'

---@type table<copilot_server.Part, fun(text: string): string>
local PARTS = {
  all = function(text)
    return text
  end,
  word = text_units.first_word,
  line = text_units.first_line,
}

--- Put what is shown, or its next word or line, into the buffer. In insert mode, from a `<Cmd>` mapping.
---@param part copilot_server.Part
function M.apply(part)
  local rest, typed, item = shown_rest()
  local suggestion = current
  if not suggestion or not rest or not item then
    return
  end
  cancel()
  local taken = PARTS[part](rest)
  if taken == rest then
    hide()
    insert(taken, item.replaced)
    tell_accepted(suggestion, item)
  else
    insert(taken, '')
    tell_partly_accepted(suggestion, item, typed .. taken)
    draw()
  end
end

--- Ask again, by a key: several candidates.
---@param choose fun(suggestion: copilot_server.Suggestion): integer the one to show
local function ask_for_candidates(choose)
  local asked = ask(INVOKED, function(suggestion, err)
    if suggestion and suggestion.items[1] then
      suggestion.index = choose(suggestion)
      show(suggestion)
    elseif err and not MUTED[err.code] then
      server.notify(err.message, vim.log.levels.WARN)
    elseif not err then
      vim.api.nvim_echo({ { 'copilot-server: no suggestion here' } }, false, {})
    end
  end)
  if not asked then
    local why = require('copilot_server.attach').why_off(0)
      or 'the server is not running; :CopilotServer restart'
    server.notify('no suggestions: ' .. why, vim.log.levels.WARN)
  end
end

--- Ask for suggestions now.
function M.trigger()
  hide()
  ask_for_candidates(function()
    return 1
  end)
end

---@param step integer
local function cycle_again(step)
  local seen = shown_rest()
  ask_for_candidates(function(suggestion)
    for index, item in ipairs(suggestion.items) do
      if item.text == seen then
        return (index - 1 + step) % #suggestion.items + 1
      end
    end
    return step > 0 and 1 or #suggestion.items
  end)
end

--- Show the next candidate, or with a negative step the one before; the first time, ask for several.
---@param step integer
function M.cycle(step)
  if not shown_rest() or not current then
    M.trigger()
  elseif not current.invoked then
    cycle_again(step)
  else
    local fitting = vim.tbl_filter(function(index)
      local rest = rest_of(current.items[index])
      return rest ~= nil and rest ~= ''
    end, vim.fn.range(1, #current.items))
    local at = vim.fn.index(fitting, current.index)
    current.index = fitting[(at + step) % #fitting + 1]
    draw()
  end
end

--- Take the suggestion away until the text changes.
---@return boolean dismissed false when there was none
function M.dismiss()
  local was_visible = M.is_visible()
  M.clear()
  return was_visible
end

return M
