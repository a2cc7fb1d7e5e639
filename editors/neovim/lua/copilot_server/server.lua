--- The server: its command, its client, and restarts.

local config = require('copilot_server.config')

local M = {}

M.NAME = 'copilot_server'
M.SECTION = 'copilot-server'

local IS_011 = vim.fn.has('nvim-0.11') == 1
local WINDOW_S = 300
local PAUSE_MS = 1000
local SIGTERM = 15

---@alias copilot_server.Stopper 'plugin'|'user'

---@type table<integer, copilot_server.Stopper> who stops a client, by its id
local stopped_by = {}
---@type table<integer, true> our clients that have answered once
local adopted = {}
---@type { enabled: table? }? the user has stopped the server; what |vim.lsp.enable()| knew of it then
local stopped
--- Whether a server has been started that has not answered yet.
M.starting = false
---@type table<string, any> settings that the user has chosen since Neovim started
M.chosen = {}
---@type number[] the times of restarts, in seconds
local restarts_s = {}

--- Notify the user after the current autocommand; otherwise the message would look like its error.
---@param message string
---@param level? integer
function M.notify(message, level)
  vim.schedule(function()
    vim.notify('copilot-server: ' .. message, level or vim.log.levels.INFO)
  end)
end

--- The folder of the clone that contains this plugin.
---@return string
local function clone()
  local file = vim.fn.resolve(debug.getinfo(1, 'S').source:sub(2))
  return vim.fn.fnamemodify(file, ':h:h:h:h:h')
end

--- The command of `vim.lsp.config('copilot_server', { cmd = … })`.
---@return string[]?
local function configured_command()
  local cmd = vim.lsp.config and vim.lsp.config[M.NAME] and vim.lsp.config[M.NAME].cmd
  return type(cmd) == 'table' and cmd or nil
end

local IS_WINDOWS = vim.fn.has('win32') == 1

---@param path string
---@return boolean
local function is_absolute(path)
  return path:match(IS_WINDOWS and '^%a:[/\\]' or '^/') ~= nil or vim.startswith(path, '\\\\')
end

--- The program in the folders of PATH. A relative folder would mean another program in each project, and
--- Windows would look into the current folder first.
---@param name string
---@return string[]
local function on_path(name)
  local file = IS_WINDOWS and not name:lower():match('%.exe$') and name .. '.exe' or name
  local programs = {}
  for _, folder in ipairs(vim.split(vim.env.PATH or '', IS_WINDOWS and ';' or ':', { plain = true })) do
    if is_absolute(folder) then
      table.insert(programs, folder .. '/' .. file)
    end
  end
  return programs
end

---@param programs string[]
---@return string? program the first that can be run, by its absolute path
local function first_executable(programs)
  for _, program in ipairs(programs) do
    if vim.fn.executable(program) == 1 then
      return vim.fn.fnamemodify(program, ':p')
    end
  end
end

--- The program that the user's command names: by an absolute path, or by its name on PATH.
---@param name string
---@return string?
local function named(name)
  local path = vim.fn.expand(name)
  if is_absolute(path) then
    return first_executable({ path })
  end
  return not path:find('[/\\]') and first_executable(on_path(path)) or nil
end

--- The command that starts the server: the user's, the one on PATH, or that of the plugin's own clone.
---@return string[]? command nil if there is none
function M.command()
  local wanted = config.get().cmd or configured_command()
  if wanted then
    local program = named(wanted[1] or '')
    return program and vim.list_extend({ program }, wanted, 2) or nil
  end
  local bin = IS_WINDOWS and 'Scripts/copilot-server.exe' or 'bin/copilot-server'
  local programs = on_path('copilot-server')
  table.insert(programs, clone() .. '/.venv/' .. bin)
  local program = first_executable(programs)
  return program and { program }
end

M.REMEDY = 'the server was not found. Run `make install` in its clone, put `copilot-server` on your PATH, '
  .. "or name its absolute path: vim.g.copilot_server = { cmd = { '/path/to/copilot-server' } }"

local notified_missing = false

--- Notify the user once that there is no server.
function M.notify_missing()
  if not notified_missing then
    notified_missing = true
    M.notify(M.REMEDY, vim.log.levels.ERROR)
  end
end

--- The running client, or that of a buffer if one is given.
---@param bufnr? integer
---@return vim.lsp.Client?
function M.client(bufnr)
  for _, client in ipairs(vim.lsp.get_clients({ name = M.NAME, bufnr = bufnr })) do
    if not M.is_stopped(client) then
      return client
    end
  end
end

--- Whether a client has ended, or has been asked to.
---@param client vim.lsp.Client
---@return boolean
function M.is_stopped(client)
  if stopped_by[client.id] then
    return true
  elseif IS_011 then
    return client:is_stopped()
  end
  return client.is_stopped()
end

--- Send a request.
---@param client vim.lsp.Client
---@param method string
---@param params table
---@param handler fun(err: lsp.ResponseError?, result: any)
---@param bufnr? integer
---@return integer? id nil if the server has ended
function M.request(client, method, params, handler, bufnr)
  local sent, id
  if IS_011 then
    sent, id = client:request(method, params, handler, bufnr)
  else
    sent, id = client.request(method, params, handler, bufnr)
  end
  return sent and id or nil
end

---@param client vim.lsp.Client
---@param method string
---@param params table
function M.send(client, method, params)
  if IS_011 then
    client:notify(method, params)
  else
    client.notify(method, params)
  end
end

---@param client vim.lsp.Client
---@param id integer
function M.cancel(client, id)
  if not M.is_stopped(client) then
    if IS_011 then
      client:cancel_request(id)
    else
      client.cancel_request(id)
    end
  end
end

---@param client vim.lsp.Client
function M.stop(client)
  stopped_by[client.id] = 'plugin'
  if IS_011 then
    client:stop()
  else
    client.stop()
  end
end

--- What `vim.lsp.enable()` keeps of the server: another table after each call, nil if it is not enabled.
---@return table?
local function enabled_config()
  return (vim.lsp._enabled_configs or {})[M.NAME]
end

local function remember_stopped()
  stopped = { enabled = enabled_config() }
end

--- Whether the user has stopped the server and not started it again.
---@return boolean
function M.is_stopped_by_user()
  local enabled = enabled_config()
  if stopped and enabled and enabled ~= stopped.enabled then
    stopped = nil
  end
  return stopped ~= nil
end

--- Take note that the user wants the server.
function M.wanted()
  stopped = nil
end

--- Whether a client is one of ours, also while it ends.
---@param client_id integer
---@return boolean
function M.is_ours(client_id)
  local client = vim.lsp.get_client_by_id(client_id)
  return adopted[client_id] == true or (client ~= nil and client.name == M.NAME)
end

--- Take up a client that has answered: from now on it is known who stops it.
---@param client vim.lsp.Client
function M.adopt(client)
  if adopted[client.id] then
    return
  end
  adopted[client.id] = true
  M.starting, stopped = false, nil
  local stop = client.stop
  client.stop = function(...)
    if not stopped_by[client.id] then
      stopped_by[client.id] = 'user'
      remember_stopped()
    end
    return stop(...)
  end
end

---@return boolean
local function may_restart()
  local now_s = vim.uv.now() / 1000
  restarts_s = vim.tbl_filter(function(at_s)
    return now_s - at_s < WINDOW_S
  end, restarts_s)
  if #restarts_s >= config.get().restarts then
    return false
  end
  table.insert(restarts_s, now_s)
  return true
end

--- Report a server that has died, and restart it unless it keeps dying.
---@param why string
local function report_death(why)
  if may_restart() then
    M.notify(('the server %s; starting it again'):format(why), vim.log.levels.WARN)
    vim.defer_fn(require('copilot_server.attach').attach_all, PAUSE_MS)
  else
    local remedy = ':CopilotServer restart starts it again, :CopilotServer log shows what it said'
    M.notify(('the server %s. %s'):format(why, remedy), vim.log.levels.ERROR)
    require('copilot_server.explicit').server_failed()
  end
end

--- Handle the end of a client, which was stopped or has died.
---@param code integer
---@param signal integer
---@param client_id integer
function M.on_exit(code, signal, client_id)
  local stopper = stopped_by[client_id]
  -- Neovim ends a server that has not answered yet by a signal, and has no other sign of it.
  local interrupted = not adopted[client_id] and signal == SIGTERM
  M.starting = false
  if vim.v.exiting ~= vim.NIL then
    return
  end
  vim.schedule(function()
    stopped_by[client_id], adopted[client_id] = nil, nil
    require('copilot_server.status').forget(client_id)
    if interrupted then
      remember_stopped()
    elseif not stopper then
      require('copilot_server.suggestion').clear()
      local killed = ('was killed by signal %d'):format(signal)
      report_death(signal ~= 0 and killed or ('ended with code %d'):format(code))
    end
  end)
end

--- Stop the server and start it again for the buffers that it served.
function M.restart()
  restarts_s = {}
  M.wanted()
  local attach = require('copilot_server.attach')
  local client = M.client()
  if not client then
    attach.attach_all()
    return
  end
  M.stop(client)
  local deadline_ms = vim.uv.now() + 5000
  local function start_when_stopped()
    if vim.lsp.get_client_by_id(client.id) and vim.uv.now() < deadline_ms then
      vim.defer_fn(start_when_stopped, 50)
    else
      attach.attach_all()
    end
  end
  start_when_stopped()
end

return M
