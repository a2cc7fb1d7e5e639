if vim.g.loaded_copilot_server then
  return
end
vim.g.loaded_copilot_server = true

if vim.fn.has('nvim-0.10') == 0 then
  vim.notify('copilot-server: the plugin needs Neovim 0.10 or newer', vim.log.levels.WARN)
  return
end

require('copilot_server.keymaps').define_plugs()

vim.api.nvim_create_user_command('CopilotServer', function(call)
  require('copilot_server.commands').run(call.fargs)
end, {
  nargs = '*',
  desc = 'Code completion by a model of your own',
  complete = function(lead, line)
    return require('copilot_server.commands').complete(lead, line)
  end,
})
