--- The server's status, for the statusline.

local server = require('copilot_server.server')

local M = {}

local TELL_AGAIN_MS = 300000

---@class copilot_server.Status
---@field kind 'Normal'|'Warning'|'Error'|'Inactive'
---@field busy boolean
---@field message string
---@field state 'loading'|'ready'|'thinking'|'off'|'error'|'stopped'
---@field percent? integer
---@field model? string
---@field choice? string why the server chose the model; nil if the settings name it
---@field reason? string why there are no suggestions, a code of the protocol; see |copilot_server-functions|
---@field examples? 'passed'|'unchecked'|'failed' what the function's examples say of what the user has asked for
---@field engine? string the hosts that receive the source to complete; nil if the model runs in the server

---@type table<integer, copilot_server.Status> by client
local said = {}
---@type table<integer, number> by client, the time of the last notification of an engine's error, in ms
local notified_ms = {}

--- Redraw the statusline, and run the `User CopilotServerStatus` autocommands.
function M.announce()
  vim.schedule(function()
    vim.api.nvim_exec_autocmds('User', { pattern = 'CopilotServerStatus', modeline = false })
    vim.cmd.redrawstatus({ bang = true })
  end)
end

---@param params table
---@return copilot_server.Status
local function read(params)
  local by_kind = { Error = 'error', Inactive = 'off' }
  return {
    kind = params.kind or 'Normal',
    busy = params.busy == true,
    message = type(params.message) == 'string' and params.message or '',
    state = params.state or by_kind[params.kind] or (params.busy and 'thinking' or 'ready'),
    percent = type(params.percent) == 'number' and params.percent or nil,
    model = type(params.model) == 'string' and params.model ~= '' and params.model or nil,
    choice = type(params.choice) == 'string' and params.choice or nil,
    engine = type(params.engine) == 'string' and params.engine or nil,
    reason = type(params.reason) == 'string' and params.reason or nil,
    examples = type(params.examples) == 'string' and params.examples or nil,
  }
end

--- Notify the user of a remote engine that cannot be used, which the server reports only in its status. An
--- engine with intermittent errors is reported only once in a while.
---@param client_id integer
---@param status copilot_server.Status
local function notify_engine_error(client_id, status)
  local before_ms, now_ms = notified_ms[client_id], vim.uv.now()
  if status.engine and status.state == 'error' and (not before_ms or now_ms - before_ms > TELL_AGAIN_MS) then
    notified_ms[client_id] = now_ms
    server.notify(status.message, vim.log.levels.WARN)
  end
end

--- Handle a `didChangeStatus` of the server.
---@param client_id integer
---@param params table
function M.take(client_id, params)
  local before = said[client_id]
  said[client_id] = read(params)
  if before and before.state == 'loading' and said[client_id].state == 'ready' then
    require('copilot_server.suggestion').refresh()
  end
  require('copilot_server.explicit').status_changed()
  notify_engine_error(client_id, said[client_id])
  M.announce()
end

--- Forget the status of a client that has ended.
---@param client_id integer
function M.forget(client_id)
  said[client_id], notified_ms[client_id] = nil, nil
  M.announce()
end

--- The last status that the server sent.
---@return copilot_server.Status
function M.get()
  local client = server.client()
  if not client then
    return { kind = 'Inactive', busy = false, message = 'The server is not running.', state = 'stopped' }
  end
  return said[client.id] or { kind = 'Normal', busy = true, message = 'Starting', state = 'loading' }
end

--- Words for the reasons that a statusline names.
local REASONS = { snoozed = 'snoozed', manual = 'manual', excluded = 'excluded', consent = 'not fetched' }

--- Words for what the examples say of a suggestion.
local EXAMPLES = { passed = 'examples pass', failed = 'example fails' }

--- A short text for the statusline of the current window, without `%`, which a statusline would interpret.
---@return string
function M.statusline()
  local status, attach = M.get(), require('copilot_server.attach')
  if status.state == 'stopped' then
    return attach.is_enabled('global') and '' or 'copilot: off'
  elseif attach.why_off(0) then
    return 'copilot: off'
  elseif REASONS[status.reason] then
    return 'copilot: ' .. REASONS[status.reason]
  elseif status.state == 'loading' and status.percent then
    return ('copilot: loading %d/100'):format(status.percent)
  elseif status.engine and status.state ~= 'off' then
    return ('copilot: %s at %s'):format(status.state, (status.engine:gsub('%%', '')))
  end
  return 'copilot: ' .. (status.state == 'ready' and EXAMPLES[status.examples] or status.state)
end

return M
