--- The server's work that takes long, such as fetching a model, which the user may cancel.

local server = require('copilot_server.server')

local M = {}

---@type { client_id: integer, token: integer|string }? what can be cancelled
local running

--- Follow a `$/progress`.
---@param client_id integer
---@param result { token: integer|string, value: table }
function M.take(client_id, result)
  local value = type(result) == 'table' and type(result.value) == 'table' and result.value or {}
  if value.kind == 'end' then
    if running and running.token == result.token then
      running = nil
    end
  elseif value.cancellable == true then
    running = { client_id = client_id, token = result.token }
  end
end

--- Cancel it.
function M.cancel()
  local client = running and vim.lsp.get_client_by_id(running.client_id)
  if running and client then
    server.send(client, 'window/workDoneProgress/cancel', { token = running.token })
  else
    server.notify('nothing that could be cancelled is going on')
  end
end

return M
