---@brief
---
--- Code completion by a model on your own machine: `vim.lsp.enable('copilot_server')`, then |copilot_server|.

---@type vim.lsp.Config
return require('copilot_server.client').config()
