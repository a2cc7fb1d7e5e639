--- `:CopilotServer` and its subcommands.

local server = require('copilot_server.server')

local M = {}

--- The model that leaves the choice to the server.
local AUTO = 'auto'

local SCOPES = { 'buffer', 'filetype', 'global' }
local BENCHMARKS = { 'humaneval', 'infilling', 'robustness', 'chained', 'buggy-context', 'protocols' }

---@return string[]? command
local function command_or_notify()
  local command = server.command()
  if not command then
    server.notify(server.REMEDY, vim.log.levels.ERROR)
  end
  return command
end

--- Run the server's program in a terminal window.
---@param arguments string[]
---@param on_exit? fun(code: integer)
local function in_terminal(arguments, on_exit)
  local command = command_or_notify()
  if not command then
    return
  end
  local options = {
    on_exit = function(_, code)
      if on_exit then
        on_exit(code)
      end
    end,
  }
  vim.cmd('botright new')
  local whole = vim.list_extend(command, arguments)
  if vim.fn.has('nvim-0.11') == 1 then
    options.term = true
    vim.fn.jobstart(whole, options)
  else
    vim.fn.termopen(whole, options)
  end
end

--- What brings suggestions back, by the status's reason.
local SUGGESTIONS = {
  snoozed = 'snoozed; :CopilotServer resume ends that',
  manual = 'only if asked; :CopilotServer automatic changes that',
  consent = 'the model is not on this machine; :CopilotServer fetch fetches it',
}

---@return string[]
local function status_lines()
  local attach = require('copilot_server.attach')
  local client = server.client()
  local status = require('copilot_server.status').get()
  local info = client and client.server_info or {}
  local why = attach.why_off(0)
  local here = why
    or (server.client(vim.api.nvim_get_current_buf()) and 'on' or 'on, but the server is not attached')
  local lines = {
    ('server: %s'):format(
      client and ('%s %s, %s'):format(info.name or 'running', info.version or '', status.state)
        or 'not running'
    ),
    ('model: %s%s'):format(
      status.model or 'not reported yet',
      status.engine and (', at %s, where what is completed is sent'):format(status.engine) or ''
    ),
    ('this buffer: %s'):format(here),
  }
  if server.client() and SUGGESTIONS[status.reason] then
    table.insert(lines, 'suggestions: ' .. SUGGESTIONS[status.reason])
  end
  if status.choice then
    table.insert(lines, ('auto: %s'):format(status.choice))
  end
  if status.message ~= '' then
    table.insert(lines, ('message: %s'):format(status.message))
  end
  return lines
end

---@param chosen string
local function change_model(chosen)
  require('copilot_server.settings').choose('model', chosen)
end

---@param model table
---@return string
local function describe_model(model)
  if model.id == AUTO then
    return ('%s  (the largest on this machine that is fast enough on it)'):format(model.id)
  end
  return ('%s  (%s)'):format(model.id, model.on_disk and 'on disk' or 'to be fetched')
end

local function choose_model()
  local engine = require('copilot_server.status').get().engine
  if engine then
    server.notify(('the model runs at %s, and is chosen there'):format(engine))
    return
  end
  local command = command_or_notify()
  if not command then
    return
  end
  vim.system(
    vim.list_extend(command, { 'models', '--json' }),
    { text = true },
    vim.schedule_wrap(function(done)
      local parsed, models = pcall(vim.json.decode, done.stdout or '')
      if done.code ~= 0 or not parsed then
        server.notify('the list of models failed: ' .. vim.trim(done.stderr or ''), vim.log.levels.ERROR)
        return
      end
      models = models.models or models
      table.insert(models, { id = AUTO })
      vim.ui.select(models, { prompt = 'Model', format_item = describe_model }, function(model)
        if model then
          change_model(model.id)
        end
      end)
    end)
  )
end

--- The flags for what the server runs with: the model, the device, and the remote engine; there are none for
--- `remote.*`.
---@return string[]
local function engine_flags()
  local settings = require('copilot_server.settings').now()
  local flags = {}
  for _, url in ipairs(type(settings.engine) == 'table' and settings.engine or { settings.engine }) do
    vim.list_extend(flags, { '--engine', url })
  end
  for _, name in ipairs(#flags == 0 and { 'model', 'device', 'dtype' } or {}) do
    if settings[name] then
      vim.list_extend(flags, { '--' .. name, settings[name] })
    end
  end
  return flags
end

---@param benchmark? string
local function selftest(benchmark)
  local folder = vim.fn.stdpath('state') .. '/copilot-server-selftest'
  local arguments = { '--selftest', benchmark or 'humaneval', '--report', folder }
  in_terminal(vim.list_extend(arguments, engine_flags()), function(code)
    if code == 0 then
      vim.ui.open(folder .. '/report.html')
    end
  end)
end

---@param on boolean
---@return fun(scope?: string)
local function switch(on)
  return function(scope)
    require('copilot_server.attach').switch(on, scope)
  end
end

---@class copilot_server.Subcommand
---@field run fun(argument?: string)
---@field arguments? string[] what it takes
---@field examples? string[] what completes, where it takes other arguments too

---@type table<string, copilot_server.Subcommand>
local SUBCOMMANDS = {
  status = {
    run = function()
      vim.api.nvim_echo({ { table.concat(status_lines(), '\n') } }, true, {})
    end,
  },
  toggle = {
    arguments = SCOPES,
    run = function(scope)
      local api = require('copilot_server')
      api.toggle(scope)
      local now = api.is_enabled(scope or 'buffer') and 'on' or 'off'
      server.notify(('suggestions are %s (%s)'):format(now, scope or 'buffer'))
    end,
  },
  enable = { arguments = SCOPES, run = switch(true) },
  disable = { arguments = SCOPES, run = switch(false) },
  snooze = {
    examples = { '5', '15', '30', '60', '120' },
    run = function(minutes)
      local number = tonumber(minutes or 30)
      if number and number > 0 then
        require('copilot_server.settings').snooze(number)
      else
        server.notify(('snooze takes minutes, not %s'):format(minutes), vim.log.levels.ERROR)
      end
    end,
  },
  resume = {
    run = function()
      require('copilot_server.settings').snooze(0)
    end,
  },
  automatic = {
    run = function()
      require('copilot_server.settings').automatic(true)
    end,
  },
  manual = {
    run = function()
      require('copilot_server.settings').automatic(false)
    end,
  },
  cancel = {
    run = function()
      require('copilot_server.progress').cancel()
    end,
  },
  fetch = {
    run = function()
      require('copilot_server.settings').fetch()
    end,
  },
  restart = { run = server.restart },
  log = {
    run = function()
      local path = vim.lsp.log and vim.lsp.log.get_filename and vim.lsp.log.get_filename()
        or vim.lsp.get_log_path()
      vim.cmd('botright sview +$ ' .. vim.fn.fnameescape(path))
    end,
  },
  panel = {
    run = function()
      require('copilot_server.panel').open()
    end,
  },
  stats = {
    run = function()
      in_terminal({ 'stats' })
    end,
  },
  model = {
    run = function(id)
      if id then
        change_model(id)
      else
        choose_model()
      end
    end,
  },
  selftest = { arguments = BENCHMARKS, run = selftest },
  health = {
    run = function()
      vim.cmd.checkhealth('copilot_server')
    end,
  },
}

--- Run a subcommand, by default `status`.
---@param words string[]
function M.run(words)
  local name, argument = words[1] or 'status', words[2]
  local subcommand = SUBCOMMANDS[name]
  if not subcommand then
    local known = vim.tbl_keys(SUBCOMMANDS)
    table.sort(known)
    server.notify(('no such command: %s (%s)'):format(name, table.concat(known, ', ')), vim.log.levels.ERROR)
    return
  end
  local allowed = subcommand.arguments
  if argument and allowed and not vim.tbl_contains(allowed, argument) then
    local message = ('%s takes one of %s, not %s'):format(name, table.concat(allowed, ', '), argument)
    server.notify(message, vim.log.levels.ERROR)
    return
  end
  subcommand.run(argument)
end

--- Complete the command line.
---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local words = vim.split(line, '%s+')
  local candidates = vim.tbl_keys(SUBCOMMANDS)
  if #words > 2 then
    local subcommand = SUBCOMMANDS[words[2]]
    candidates = #words == 3 and subcommand and (subcommand.arguments or subcommand.examples) or {}
  end
  local fitting = vim.tbl_filter(function(candidate)
    return vim.startswith(candidate, lead)
  end, candidates)
  table.sort(fitting)
  return fitting
end

return M
