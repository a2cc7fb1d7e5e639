--- Reporting the cursor to the server, which reads the code around it while nobody types.

local server = require('copilot_server.server')
local text = require('copilot_server.text')

local M = {}

--- How long the cursor has to stay where it is.
local REST_MS = 150

---@type uv.uv_timer_t?
local timer

--- Where text will be typed next. In normal mode that is most often the end of the line: there `A`, `o` and
--- typing on a blank line begin.
---@param client vim.lsp.Client
---@return lsp.TextDocumentPositionParams
local function expected(client)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  if not vim.startswith(vim.api.nvim_get_mode().mode, 'i') then
    params.position.character = text.length(vim.api.nvim_get_current_line(), client.offset_encoding)
  end
  return params
end

local function report()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = server.client(bufnr)
  if client then
    require('copilot_server.sync').ensure(client, bufnr)
    server.send(client, 'copilotServer/didMoveCursor', expected(client))
  end
end

--- Report the cursor once it rests.
function M.moved()
  if timer then
    timer:stop()
    timer:close()
  end
  timer = vim.defer_fn(function()
    timer = nil
    report()
  end, REST_MS)
end

return M
