vim.lsp.config('copilot_server', {
  cmd = { vim.fn.expand('~/copilot-server/.venv/bin/copilot-server') },
  filetypes = { 'python', 'javascript', 'typescript', 'lua', 'go', 'rust', 'c', 'cpp', 'java', 'sh' },
  root_markers = { '.git' },
})
vim.lsp.enable('copilot_server')
vim.lsp.inline_completion.enable()
vim.keymap.set('i', '<Tab>', function()
  return vim.lsp.inline_completion.get() and '' or '<Tab>'
end, { expr = true, desc = 'Accept the suggestion' })
