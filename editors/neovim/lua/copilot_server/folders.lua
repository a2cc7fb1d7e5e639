--- The folders of the projects that the one server serves: patterns that begin with a slash count from there.

local server = require('copilot_server.server')

local M = {}

---@type table<integer, table<string, true>> by client, the folders to add once it has answered
local pending = {}

---@param client vim.lsp.Client
---@param folder string
---@return boolean
local function has(client, folder)
  local uri = vim.uri_from_fname(folder)
  for _, known in ipairs(client.workspace_folders or {}) do
    if known.uri == uri then
      return true
    end
  end
  return false
end

---@param client vim.lsp.Client
---@param folder string
local function send(client, folder)
  local added = { uri = vim.uri_from_fname(folder), name = folder }
  client.workspace_folders = vim.list_extend(client.workspace_folders or {}, { added })
  local params = { event = { added = { added }, removed = {} } }
  server.send(client, 'workspace/didChangeWorkspaceFolders', params)
end

--- Add the folder of another project.
---@param client vim.lsp.Client
---@param folder? string
function M.add(client, folder)
  if not folder or has(client, folder) then
    return
  elseif client.initialized then
    send(client, folder)
  else
    pending[client.id] = vim.tbl_extend('force', pending[client.id] or {}, { [folder] = true })
  end
end

--- Add the folders of projects that were opened before the client had answered.
---@param client vim.lsp.Client
function M.send_pending(client)
  local folders = vim.tbl_keys(pending[client.id] or {})
  pending[client.id] = nil
  for _, folder in ipairs(folders) do
    M.add(client, folder)
  end
end

return M
