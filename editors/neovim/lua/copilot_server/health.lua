--- `:checkhealth copilot_server`.

local config = require('copilot_server.config')
local server = require('copilot_server.server')

local M = {}

local health = vim.health

local function check_neovim()
  health.start('Neovim')
  local version = tostring(vim.version())
  if vim.fn.has('nvim-0.10') == 0 then
    health.error(version .. ' is too old', { 'Install Neovim 0.10 or newer.' })
  elseif not vim.lsp.enable then
    health.warn(version .. ' has no vim.lsp.enable()', {
      "Call require('copilot_server').setup() in your init.lua; or install Neovim 0.11 or newer.",
    })
  else
    health.ok(version .. ' has vim.lsp.enable()')
  end
  if vim.lsp.enable and not (vim.lsp.is_enabled and vim.lsp.is_enabled(server.NAME) or server.client()) then
    health.warn('the server is not enabled', { "Put vim.lsp.enable('copilot_server') into your init.lua." })
  end
end

local function check_options()
  health.start('Options')
  local problems = config.problems()
  for _, problem in ipairs(problems) do
    health.error(problem)
  end
  if #problems == 0 then
    health.ok('no option is wrong')
  end
end

local function check_command()
  health.start('Server')
  local command = server.command()
  if not command then
    health.error('not found', { server.REMEDY })
    return
  end
  local ran, done = pcall(function()
    return vim.system(vim.list_extend(vim.deepcopy(command), { '--version' }), { text = true }):wait(60000)
  end)
  if ran and done.code == 0 then
    health.ok(('%s: %s'):format(table.concat(command, ' '), vim.trim(done.stdout)))
  else
    local why = ran and vim.trim(done.stderr or '') or tostring(done)
    health.error(('%s does not run: %s'):format(table.concat(command, ' '), why))
  end
end

local function check_client()
  local client = server.client()
  if not client then
    health.info('not running; it starts with the first file that it is on for')
    return
  end
  local buffers = vim.tbl_count(client.attached_buffers)
  health.ok(
    ('running, attached to %d buffer%s, positions in %s'):format(
      buffers,
      buffers == 1 and '' or 's',
      client.offset_encoding
    )
  )
  local status = require('copilot_server.status').get()
  local line = ('%s%s'):format(status.state, status.model and (', model ' .. status.model) or '')
  if status.engine then
    health.info(('what is completed is sent to the engine at %s, which runs the model'):format(status.engine))
  end
  if status.kind == 'Error' then
    health.error(line .. ': ' .. status.message, { ':CopilotServer log shows what the server said.' })
  else
    health.ok(line)
  end
end

local function check_keys()
  health.start('Keys in insert mode')
  local keymaps = config.get().keymaps
  if keymaps == false then
    health.info('none; keymaps = false')
    return
  end
  for name in vim.spairs(keymaps) do
    local key = keymaps[name]
    local mapping = key and vim.fn.maparg(key, 'i', false, true) or {}
    if not key then
      health.info(name .. ': none')
    elseif vim.startswith(mapping.desc or '', 'copilot-server:') then
      health.ok(('%s: %s'):format(name, key))
    elseif not server.client() then
      health.info(('%s: %s, once the server is running'):format(name, key))
    else
      health.warn(('%s: %s is mapped to something else'):format(name, key), {
        ("Map another key to <Plug>(copilot-server-%s), or call require('copilot_server').%s()."):format(
          name:gsub('_', '-'),
          name
        ),
      })
    end
  end
end

function M.check()
  check_neovim()
  check_options()
  check_command()
  check_client()
  check_keys()
end

return M
