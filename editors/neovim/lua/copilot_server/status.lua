--- What the server says of itself, for the statusline.

local server = require('copilot_server.server')

local M = {}

---@class copilot_server.Status
---@field kind 'Normal'|'Warning'|'Error'|'Inactive'
---@field busy boolean
---@field message string
---@field state 'loading'|'ready'|'thinking'|'off'|'error'|'stopped'
---@field percent? integer
---@field model? string

---@type table<integer, copilot_server.Status> by client
local said = {}

--- Tell the statusline, and whoever listens to `User CopilotServerStatus`, that something has changed.
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
    model = type(params.model) == 'string' and params.model or nil,
  }
end

--- Take a `didChangeStatus` of the server.
---@param client_id integer
---@param params table
function M.take(client_id, params)
  local before = said[client_id]
  said[client_id] = read(params)
  if before and before.state == 'loading' and said[client_id].state == 'ready' then
    require('copilot_server.suggestion').refresh()
  end
  M.announce()
end

--- A client has ended.
---@param client_id integer
function M.forget(client_id)
  said[client_id] = nil
  M.announce()
end

--- The server's last word.
---@return copilot_server.Status
function M.get()
  local client = server.client()
  if not client then
    return { kind = 'Inactive', busy = false, message = 'The server is not running.', state = 'stopped' }
  end
  return said[client.id] or { kind = 'Normal', busy = true, message = 'Starting', state = 'loading' }
end

--- A few words for the statusline of the current window; free of `%`, which statuslines take for more.
---@return string
function M.statusline()
  local status = M.get()
  if status.state == 'stopped' then
    return ''
  elseif require('copilot_server.attach').why_off(0) then
    return 'copilot: off'
  elseif status.state == 'loading' and status.percent then
    return ('copilot: loading %d/100'):format(status.percent)
  end
  return 'copilot: ' .. status.state
end

return M
