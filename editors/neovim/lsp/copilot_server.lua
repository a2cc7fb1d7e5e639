---@brief
---
--- Code completion by a model of your own: `vim.lsp.enable('copilot_server')`, then |copilot_server|.

---@type vim.lsp.Config
return require('copilot_server.client').config()
