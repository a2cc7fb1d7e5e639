--- Requests that the user makes with a key or a command. Each is answered: with candidates, or with a reason.

local items = require('copilot_server.item')
local notice = require('copilot_server.notice')
local reason = require('copilot_server.reason')
local request = require('copilot_server.request')
local server = require('copilot_server.server')

local M = {}

--- Cancelled, modified, superseded: after these errors another answer will come.
local MUTED = { [-32800] = true, [-32801] = true, [-32802] = true }

---@alias copilot_server.Choose fun(suggestion: copilot_server.Suggestion): integer

--- A request for which the server is not ready.
---@type { at: copilot_server.Cursor, choose: copilot_server.Choose }?
local waiting

---@return integer
local function first()
  return 1
end

--- While the model is loaded, the request waits for it: show how far that is.
local function show_loading()
  local status = require('copilot_server.status').get()
  if status.state == 'loading' then
    local message = status.message ~= '' and status.message or 'Loading the model.'
    notice.show(reason.words({ code = 'loading', message = message, percent = status.percent }))
  end
end

---@param client vim.lsp.Client
---@param choose copilot_server.Choose
---@param suggestion copilot_server.Suggestion?
---@param err lsp.ResponseError?
local function take_answer(client, choose, suggestion, err)
  local at = items.cursor()
  if suggestion and suggestion.items[1] then
    notice.clear()
    suggestion.index = choose(suggestion)
    if not require('copilot_server.suggestion').show(suggestion) then
      notice.show('There is a suggestion, but a menu is in its way.')
    end
  elseif err and not MUTED[err.code] then
    notice.show(err.message)
  elseif not err then
    reason.ask(client, at.bufnr, function(words)
      if vim.deep_equal(at, items.cursor()) then
        notice.show(words)
      end
    end)
  end
end

--- Wait for a server that is starting, or say why there is none.
---@param choose copilot_server.Choose
local function wait_or_explain(choose)
  if server.starting then
    waiting = { at = items.cursor(), choose = choose }
    notice.show('The server is starting.')
  else
    reason.explain_unattached()
  end
end

--- Request several candidates.
---@param choose copilot_server.Choose chooses the one to show
local function ask(choose)
  if request.in_macro() then
    notice.show('No suggestions while a macro is recorded: it would not have what you accept.')
    return
  elseif not request.inserting() then
    server.notify('suggestions are shown in insert mode', vim.log.levels.WARN)
    return
  end
  waiting = nil
  notice.clear()
  local bufnr = vim.api.nvim_get_current_buf()
  require('copilot_server.attach').attach_on_request(bufnr)
  local client = server.client(bufnr)
  if not client then
    wait_or_explain(choose)
    return
  end
  request.ask(request.INVOKED, function(suggestion, err)
    take_answer(client, choose, suggestion, err)
  end)
  show_loading()
end

--- Make a request that had to wait for the server, if the user still is where it was made.
function M.server_started()
  local waited = waiting
  waiting = nil
  if waited and vim.deep_equal(waited.at, items.cursor()) and request.inserting() then
    ask(waited.choose)
  end
end

--- Answer a request that had to wait for a server that has died and is not started again.
function M.server_failed()
  local waited = waiting
  waiting = nil
  if waited and vim.deep_equal(waited.at, items.cursor()) and request.inserting() then
    reason.explain_unattached()
  end
end

--- Follow the loading of the model while a request waits for it.
function M.status_changed()
  if request.awaits_invoked() then
    show_loading()
  end
end

--- Request suggestions now.
function M.trigger()
  require('copilot_server.suggestion').hide()
  ask(first)
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

--- Request the alternatives to what is on the screen.
---@param step integer
---@param shown copilot_server.Suggestion
---@param seen string
function M.ask_for_others(step, shown, seen)
  ask(function(suggestion)
    local index = index_of_seen(suggestion, shown, seen)
    return (index - 1 + step) % #suggestion.items + 1
  end)
end

return M
