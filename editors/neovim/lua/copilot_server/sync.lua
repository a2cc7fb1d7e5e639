--- Updating the server's copy of a buffer if Neovim has stopped doing so.
---
--- Neovim 0.10 to 0.12.4 no longer track a buffer that was edited while it had no client, not even when a
--- client is attached to it later: after the server died, or after suggestions were switched off and on. The
--- plugin then sends the whole text before each request.

local server = require('copilot_server.server')

local M = {}

---@param bufnr integer
---@return string
local function text_of(bufnr)
  local line_end = ({ dos = '\r\n', mac = '\r' })[vim.bo[bufnr].fileformat] or '\n'
  local text = table.concat(vim.api.nvim_buf_get_lines(bufnr, 0, -1, true), line_end)
  return vim.bo[bufnr].endofline and text .. line_end or text
end

--- Make sure that the server has the current text.
---@param client vim.lsp.Client
---@param bufnr integer
function M.ensure(client, bufnr)
  local versions = vim.lsp.util.buf_versions
  local tick = vim.b[bufnr].changedtick
  if versions[bufnr] == tick then
    return
  end
  local document = { uri = vim.uri_from_bufnr(bufnr) }
  -- Neovim sends pending edits before any other message; they must not come after the text.
  server.send(client, 'textDocument/didFocus', { textDocument = document })
  versions[bufnr] = tick
  server.send(client, 'textDocument/didChange', {
    textDocument = { uri = document.uri, version = tick },
    contentChanges = { { text = text_of(bufnr) } },
  })
end

return M
