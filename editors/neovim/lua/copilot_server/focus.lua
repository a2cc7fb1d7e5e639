--- Reporting to the server which document has the focus, so that its status is about that one.

local server = require('copilot_server.server')

local M = {}

local scheduled = false

local function report()
  scheduled = false
  local client = server.client()
  if not client then
    return
  end
  local bufnr = vim.api.nvim_get_current_buf()
  local params = vim.empty_dict()
  if server.client(bufnr) then
    params = { textDocument = { uri = vim.uri_from_bufnr(bufnr) } }
  end
  server.send(client, 'textDocument/didFocus', params)
end

--- Report the focus once the current events are over: moving to another window triggers several.
function M.changed()
  if not scheduled then
    scheduled = true
    vim.schedule(report)
  end
end

return M
