--- Changing how the running server suggests: its settings, a snooze, the manual mode, and what it fetches.

local config = require('copilot_server.config')
local server = require('copilot_server.server')

local M = {}

---@type number? when the snooze ends, in seconds since 1970
local snoozed_until_s
---@type table<integer, boolean> by client, whether its first settings already say `automatic = false`
local began_manual = {}

--- The running client; without one, report that.
---@return vim.lsp.Client?
local function running()
  local client = server.client()
  if not client then
    server.notify('the server is not running. :CopilotServer restart starts it', vim.log.levels.WARN)
  end
  return client
end

--- Change one setting of the running server, which takes some only at its start.
---@param name string
---@param value any
function M.change(name, value)
  local client = running()
  if client then
    local changed = { [server.SECTION] = { [name] = value } }
    client.settings = vim.tbl_deep_extend('force', client.settings or {}, changed)
    server.send(client, 'workspace/didChangeConfiguration', { settings = client.settings })
  end
end

--- Start the server again with a setting that the user has chosen. A running server could not tell it from
--- one that a project's files have set, and takes any model only at its start.
---@param name string
---@param value any
function M.choose(name, value)
  if running() then
    server.chosen[name] = value
    server.restart()
  end
end

--- Suggest while the user types, or only if asked. A running server can be told to suggest less, but not more
--- than it was started with.
---@param on boolean
function M.automatic(on)
  local client = server.client()
  local manual = require('copilot_server.status').get().reason == 'manual'
  local before = server.chosen.automatic
  server.chosen.automatic = on
  if client and on and (began_manual[client.id] or (manual and before == nil)) then
    server.restart()
  elseif client then
    M.change('automatic', on)
  end
end

--- The settings that a server begins with.
---@param given? table initializationOptions of `vim.lsp.config()`
---@return table
function M.first(given)
  local options = vim.tbl_deep_extend('force', config.get().settings, given or {}, server.chosen)
  local languages = require('copilot_server.attach').languages()
  if languages then
    options.languages = vim.tbl_extend('force', languages, options.languages or {})
  end
  return options
end

--- The settings that a server would begin with now.
---@return table
function M.now()
  local configured = vim.lsp.config and vim.lsp.config[server.NAME]
  return M.first(configured and configured.init_options)
end

--- Remember with which settings a client begins.
---@param client_id integer
---@param options table
function M.began(client_id, options)
  began_manual[client_id] = options.automatic == false
end

--- Have the server suggest nothing by itself for a while.
---@param minutes number 0 ends a snooze
function M.snooze(minutes)
  local client = running()
  if not client then
    return
  end
  snoozed_until_s = minutes > 0 and os.time() + minutes * 60 or nil
  server.request(client, 'copilotServer/snooze', { minutes = minutes }, function(err)
    if err then
      server.notify(err.message, vim.log.levels.WARN)
    end
  end)
end

--- Tell a server that was started during a snooze of it.
---@param client vim.lsp.Client
function M.snooze_again(client)
  local left_s = (snoozed_until_s or 0) - os.time()
  if left_s > 0 then
    server.request(client, 'copilotServer/snooze', { minutes = left_s / 60 }, function() end)
  end
end

--- Fetch the model, which the user has agreed to with this.
function M.fetch()
  local client = running()
  if client then
    server.request(client, 'copilotServer/fetchModel', vim.empty_dict(), function(err)
      if err then
        server.notify(err.message, vim.log.levels.WARN)
      end
    end)
  end
end

return M
