--- How Neovim starts the server and talks to it: what `lsp/copilot_server.lua` gives to `vim.lsp.enable()`.

local config = require('copilot_server.config')
local server = require('copilot_server.server')
local settings = require('copilot_server.settings')

local M = {}

-- The options are read when the server starts, so they may also be set after `vim.lsp.enable()`.

---@type table the first settings of the server that was started last
local began_with = {}

---@param dispatchers vim.lsp.rpc.Dispatchers
---@return vim.lsp.rpc.PublicClient
local function start(dispatchers)
  local command = server.command()
  if not command then
    error('copilot-server: ' .. server.REMEDY, 0) -- it was there when the buffer was attached
  end
  local rpc = vim.lsp.rpc.start(command, dispatchers)
  server.starting = true
  return rpc
end

---@param client vim.lsp.Client
local function on_init(client)
  server.adopt(client)
  settings.began(client.id, began_with)
  settings.snooze_again(client)
  require('copilot_server.folders').send_pending(client)
end

---@param params lsp.InitializeParams
local function before_init(params)
  local options = settings.first(params.initializationOptions)
  began_with = options
  params.initializationOptions = next(options) and options or vim.empty_dict()
  -- The server offers ordinary completion to a client that does not support ghost text.
  local inline = config.get().ghost_text or config.get().menu_source
  params.capabilities.textDocument.inlineCompletion = inline and { dynamicRegistration = false } or nil
end

local handlers = {
  ['window/showMessageRequest'] = function(...)
    return require('copilot_server.question').take(...)
  end,
  didChangeStatus = function(_, result, context)
    require('copilot_server.status').take(context.client_id, result)
  end,
  ['$/progress'] = function(err, result, context)
    if not require('copilot_server.panel').take(result) then
      require('copilot_server.progress').take(context.client_id, result)
      return vim.lsp.handlers['$/progress'](err, result, context)
    end
  end,
}

--- The client's configuration.
---@return table
function M.config()
  require('copilot_server').watch()
  local attach = require('copilot_server.attach')
  return {
    name = server.NAME,
    cmd = start,
    root_dir = attach.root_dir,
    reuse_client = attach.reuse_client,
    before_init = before_init,
    on_init = on_init,
    handlers = handlers,
    on_exit = server.on_exit,
  }
end

return M
