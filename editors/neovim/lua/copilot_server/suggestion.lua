--- The suggestion at the cursor: showing it, following what is typed, moving between candidates.
---
--- Neovim's own `vim.lsp.inline_completion` waits 200 ms after each key. Meanwhile it shows a suggestion
--- that no longer fits, and in 0.12.4 accepting it then keeps what was typed. Here a key that agrees with the
--- suggestion advances it at once, and any other key hides it at once.

local config = require('copilot_server.config')
local ghost = require('copilot_server.ghost')
local items = require('copilot_server.item')
local menus = require('copilot_server.menus')
local notice = require('copilot_server.notice')
local request = require('copilot_server.request')
local server = require('copilot_server.server')

local M = {}

---@type copilot_server.Suggestion?
local current
---@type { bufnr: integer, row: integer, col: integer, line: string }? where a suggestion was dismissed last
local dismissed

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

--- Hide the suggestion.
function M.hide()
  if current then
    ghost.clear(current.bufnr)
    current = nil
  end
end

--- Hide the suggestion and cancel the request.
function M.clear()
  request.cancel()
  M.hide()
end

--- Hide what belongs to a buffer that the server no longer sees.
---@param bufnr integer
function M.detached(bufnr)
  if bufnr == vim.api.nvim_get_current_buf() or (current and current.bufnr == bufnr) then
    M.clear()
  end
end

--- Show a suggestion in place of an earlier one.
---@param suggestion copilot_server.Suggestion?
---@return boolean shown
function M.show(suggestion)
  M.hide()
  if not suggestion or not suggestion.items[1] or menus.are_in_the_way() then
    return false
  end
  current = suggestion
  local drawn = draw()
  if drawn then
    notice.clear()
  else
    M.hide()
  end
  return drawn
end

---@return { bufnr: integer, row: integer, col: integer, line: string }
local function here()
  local now = items.cursor()
  return { bufnr = now.bufnr, row = now.row, col = now.col, line = vim.api.nvim_get_current_line() }
end

--- Whether suggestions may appear by themselves at the cursor.
---@return boolean
local function automatic_here()
  return request.inserting()
    and not menus.are_in_the_way()
    and not vim.deep_equal(dismissed, here())
    and require('copilot_server.attach').why_off(0) == nil
end

--- After a change of the buffer, the cursor or the mode, advance the suggestion or request another.
function M.refresh()
  if not config.get().ghost_text or not request.inserting() or menus.are_in_the_way() then
    M.clear()
  elseif not draw() and not request.awaits_invoked() then
    M.clear()
    if automatic_here() then
      request.soon(config.get().debounce_ms, function()
        if automatic_here() then
          request.ask(request.AUTOMATIC, M.show)
        end
      end)
    end
  end
end

--- Take note that the text has changed: what was dismissed before no longer counts.
function M.text_changed()
  dismissed = nil
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
    require('copilot_server.explicit').trigger()
  elseif not current.invoked then
    require('copilot_server.explicit').ask_for_others(step, current, seen)
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
    dismissed = here()
  end
  M.clear()
  return was_visible
end

return M
