--- The server's questions, such as whether to fetch a model. Neovim asks at once, and would take for the answer
--- what the user is typing into a file: here a question waits until insert mode is left.

local notice = require('copilot_server.notice')

local M = {}

local METHOD = 'window/showMessageRequest'

--- Wait until the user has left insert mode. Neovim runs the handler of a request in a coroutine.
local function wait_for_normal_mode()
  local handler = coroutine.running()
  notice.show('copilot-server has a question, which waits until you leave insert mode.')
  vim.api.nvim_create_autocmd('InsertLeave', {
    once = true,
    callback = vim.schedule_wrap(function()
      coroutine.resume(handler)
    end),
  })
  coroutine.yield()
end

--- Handle a `window/showMessageRequest`.
---@param err lsp.ResponseError?
---@param params lsp.ShowMessageRequestParams
---@param context lsp.HandlerContext
---@return lsp.MessageActionItem|vim.NIL
function M.take(err, params, context)
  while vim.startswith(vim.api.nvim_get_mode().mode, 'i') do
    wait_for_normal_mode()
  end
  return vim.lsp.handlers[METHOD](err, params, context)
end

return M
