--- The suggestion at the cursor: showing it, following what is typed, moving between candidates.
---
--- Neovim's own `vim.lsp.inline_completion` waits 200 ms after each key. Meanwhile it shows a suggestion
--- that no longer fits, and in 0.12.4 accepting it then keeps what was typed. Here a key that agrees with the
--- suggestion advances it at once, and any other key hides it at once.

local config = require('copilot_server.config')
local ghost = require('copilot_server.ghost')
local items = require('copilot_server.item')
local request = require('copilot_server.request')
local server = require('copilot_server.server')

local M = {}

--- Cancelled, modified, superseded: after these errors another answer will come.
local MUTED = { [-32800] = true, [-32801] = true, [-32802] = true }

---@type copilot_server.Suggestion?
local current

---@return boolean
local function menu_in_the_way()
  return vim.fn.pumvisible() == 1 and not config.get().during_completion
end

--- The part of the suggestion that is on the screen.
---@return string? text nil if there is none
function M.visible_text()
  return current and request.inserting() and (items.rest(current, current.index)) or nil
end

--- Whether a suggestion is on the screen.
---@return boolean
function M.is_visible()
  return M.visible_text() ~= nil
end

---@param suggestion copilot_server.Suggestion
local function report_shown(suggestion)
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  if client and not suggestion.reported[suggestion.index] then
    suggestion.reported[suggestion.index] = true
    local item = suggestion.items[suggestion.index].raw
    server.send(client, 'textDocument/didShowCompletion', { item = item })
  end
end

--- Draw what is left of the current item.
---@return boolean drawn false if nothing that fits is left
local function draw()
  local text = M.visible_text()
  if not current or not text then
    return false
  end
  local hint = current.invoked and (' (%d/%d)'):format(current.index, #current.items) or nil
  ghost.draw(items.cursor(), text, current.items[current.index].replaced, hint)
  report_shown(current)
  return true
end

--- Report that the user does not want what was on the screen, so that it is not suggested there again.
---@param suggestion copilot_server.Suggestion
local function report_dismissed(suggestion)
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  local ids = {}
  for index in pairs(suggestion.reported) do
    local command = suggestion.items[index].raw.command
    ids[#ids + 1] = command and command.arguments and command.arguments[1]
  end
  if client and ids[1] then
    server.request(client, 'notifyRejected', { uuids = ids }, function() end, suggestion.bufnr)
  end
end

local function hide()
  if current then
    ghost.clear(current.bufnr)
    current = nil
  end
end

--- Hide the suggestion and cancel the request.
function M.clear()
  request.cancel()
  hide()
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

--- After a change of the buffer, the cursor or the mode, advance the suggestion or request another.
function M.refresh()
  if not config.get().ghost_text or not request.inserting() or menu_in_the_way() then
    M.clear()
  elseif not draw() then
    M.clear()
    request.soon(config.get().debounce_ms, function()
      if request.inserting() and not menu_in_the_way() then
        request.ask(request.AUTOMATIC, show)
      end
    end)
  end
end

--- Whether a key that indents should indent, since the suggestion begins with as much indentation.
---@return boolean
function M.begins_with_indent()
  local text = M.visible_text()
  local before = vim.api.nvim_get_current_line():sub(1, vim.api.nvim_win_get_cursor(0)[2])
  if not text or before:find('%S') then
    return false
  end
  return vim.fn.strdisplaywidth(text:match('^[ \t]*')) >= vim.fn.shiftwidth()
end

--- Insert the suggestion, or its next word or line. Call this in insert mode, from a `<Cmd>` mapping.
---@param part copilot_server.Part
function M.apply(part)
  local suggestion = current
  if not suggestion or not M.is_visible() then
    return
  end
  request.cancel()
  ghost.clear(suggestion.bufnr)
  if require('copilot_server.accept').take(suggestion, part) then
    current = nil
  else
    draw()
  end
end

--- Request several candidates, as explicitly invoked.
---@param choose fun(suggestion: copilot_server.Suggestion): integer chooses the one to show
local function ask_for_candidates(choose)
  local asked = request.ask(request.INVOKED, function(suggestion, err)
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
    require('copilot_server.attach').explain_off()
  end
end

--- Request suggestions now.
function M.trigger()
  hide()
  ask_for_candidates(function()
    return 1
  end)
end

--- Add the candidate that is on the screen to the new ones if it is not among them.
---@param suggestion copilot_server.Suggestion
---@param shown copilot_server.Suggestion
---@param seen string
---@return integer index
local function index_of_seen(suggestion, shown, seen)
  for index, item in ipairs(suggestion.items) do
    if item.text == seen then
      return index
    end
  end
  table.insert(suggestion.items, 1, items.continued(shown))
  return 1
end

---@param step integer
---@param shown copilot_server.Suggestion
---@param seen string
local function ask_for_others(step, shown, seen)
  ask_for_candidates(function(suggestion)
    local index = index_of_seen(suggestion, shown, seen)
    return (index - 1 + step) % #suggestion.items + 1
  end)
end

--- Of the candidates that fit what has been typed since, the one `step` steps further.
---@param suggestion copilot_server.Suggestion
---@param step integer
---@return integer
local function stepped(suggestion, step)
  local fitting = vim.tbl_filter(function(index)
    return items.rest(suggestion, index) ~= nil
  end, vim.fn.range(1, #suggestion.items))
  return fitting[(vim.fn.index(fitting, suggestion.index) + step) % #fitting + 1]
end

--- Show the next candidate, or with a negative step the previous one; the first time this requests several.
---@param step integer
function M.cycle(step)
  local seen = M.visible_text()
  if not current or not seen then
    M.trigger()
  elseif not current.invoked then
    ask_for_others(step, current, seen)
  else
    current.index = stepped(current, step)
    draw()
  end
end

--- Hide the suggestion until the text changes.
---@return boolean dismissed false if there was none
function M.dismiss()
  local was_visible = M.is_visible()
  if current and was_visible then
    report_dismissed(current)
  end
  M.clear()
  return was_visible
end

return M
