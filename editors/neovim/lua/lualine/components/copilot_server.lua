--- A component for lualine.nvim: an icon for the server's status, and a spinner while it is at work. See
--- |copilot_server-lualine|.

local Component = require('lualine.component'):extend()

local FRAME_MS = 100

---@class copilot_server.LualineOptions
Component.DEFAULTS = {
  icons = {
    ready = '●',
    off = '○',
    snoozed = '◌',
    error = '▲',
    spinner = { '⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏' },
  },
  --- Texts after the icon, by state; where there is none, only the icon is shown.
  texts = { loading = 'loading', error = 'error' },
  on_click = function()
    vim.cmd.CopilotServer()
  end,
}

local BUSY = { loading = true, thinking = true }

---@type integer the frame of the spinner
local frame = 0
---@type uv.uv_timer_t?
local timer

--- Show the next frame of the spinner until the server has nothing to do.
local function turn()
  timer = nil
  if BUSY[require('copilot_server').status().state] then
    frame = frame + 1
    timer = vim.defer_fn(turn, FRAME_MS)
  end
  require('lualine').refresh()
end

local function follow()
  if not timer then
    turn()
  end
end

--- The state to show in the current window; nil where there is nothing to show.
---@return string?
---@return copilot_server.Status
local function state()
  local status = require('copilot_server').status()
  if status.state == 'stopped' then
    return nil, status
  elseif status.reason == 'snoozed' then
    return 'snoozed', status
  elseif not require('copilot_server').is_enabled() then
    return 'off', status
  end
  return status.state, status
end

---@param options table
function Component:init(options)
  options = vim.tbl_deep_extend('keep', options or {}, Component.DEFAULTS)
  Component.super.init(self, options)
  vim.api.nvim_create_autocmd('User', {
    pattern = 'CopilotServerStatus',
    group = vim.api.nvim_create_augroup('copilot_server_lualine', {}),
    callback = follow,
  })
end

---@param name string
---@return string
function Component:icon(name)
  local spinner = self.options.icons.spinner
  return BUSY[name] and spinner[frame % #spinner + 1] or self.options.icons[name] or ''
end

--- The icon and the text of the status; lualine calls this to draw a window's line.
---@return string
function Component:update_status()
  local name, status = state()
  if not name then
    return ''
  end
  local parts = { self.options.icons_enabled ~= false and self:icon(name) or '' }
  local text = self.options.texts[name]
  parts[#parts + 1] = text or (self.options.icons_enabled == false and name or nil)
  if name == 'loading' and status.percent then
    parts[#parts + 1] = ('%d%%%%'):format(status.percent)
  end
  return vim.trim(table.concat(parts, ' '))
end

return Component
