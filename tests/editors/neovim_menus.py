"""Completion plugins for the tests of their sources, and the part of lualine that a component needs.

No package has blink.cmp, nvim-cmp or lualine.nvim. Each has a stand-in here that does with a source or a
component what the plugin's documentation says. Where a variable names a checkout of the plugin, the tests run
that instead.
"""

from __future__ import annotations

import os

#: The global ``active`` names the plugin that is at work: ``menu().entries()`` gives what its menu
#: shows, and ``menu().accept()`` takes the first.
MENUS = """
menus, active = {}, nil
function menu()
  return menus[active]
end
"""

_STAND_IN = """
local menu = { shown = {} }
menus.%s = menu
function menu.entries()
  return vim.tbl_map(function(item)
    return { label = item.label, text = item.textEdit.newText, documentation = item.documentation.value }
  end, menu.shown)
end
local function word_col()
  local before = vim.api.nvim_get_current_line():sub(1, vim.api.nvim_win_get_cursor(0)[2])
  return vim.regex([[\\k*$]]):match_str(before)
end
local function insert(item)
  vim.lsp.util.apply_text_edits({ item.textEdit }, vim.api.nvim_get_current_buf(), 'utf-8')
  local lines = vim.split(item.textEdit.newText, '\\n')
  local start = item.textEdit.range.start
  local col = (#lines == 1 and start.character or 0) + #lines[#lines]
  vim.api.nvim_win_set_cursor(0, { start.line + #lines, col })
end
local function on_change(request)
  vim.api.nvim_create_autocmd('TextChangedI', {
    callback = function() if menu == menus[active] then request() end end,
  })
  vim.api.nvim_create_autocmd('InsertLeave', { callback = function() menu.shown = {} end })
end
"""

#: As in blink.cmp's "Source Boilerplate": it keeps the function that cancels, resolves what is selected, and
#: leaves the insertion to ``execute``, which is given the default.
BLINK = (
    _STAND_IN % "blink"
    + """
local source = require('copilot_server.sources.blink').new({}, {})
local cancel, context
on_change(function()
  if cancel then cancel() end
  menu.shown = {}
  local own = { mode = 'default', bounds = { start_col = word_col() + 1 } }
  context = own
  cancel = source:enabled() and source:get_completions(own, function(response)
    assert(context == own and response.is_incomplete_forward)
    menu.shown = response.items
  end) or nil
end)
function menu.accept()
  source:resolve(menu.shown[1], function(item)
    source:execute(context, item, function() menu.shown = {} end, function() insert(item) end)
  end)
end
"""
)

#: As in nvim-cmp's help, "Create a custom source": a source is registered by name, is asked for what follows
#: an offset that counts from 1, and executes what has been inserted.
CMP = (
    _STAND_IN % "cmp"
    + """
local source
package.preload.cmp = function()
  return { register_source = function(name, registered)
    assert(name == 'copilot_server' and not source)
    source = registered
  end }
end
require('copilot_server.sources.cmp').register()
require('copilot_server.sources.cmp').register() -- as when a user's configuration is read again
on_change(function()
  menu.shown = {}
  local tick = vim.b.changedtick
  if source:is_available() then
    local params = { offset = word_col() + 1, context = { option = { reason = 'auto' } } }
    source:complete(params, function(response)
      assert(response.isIncomplete)
      menu.shown = tick == vim.b.changedtick and response.items or {}
    end)
  end
end)
function menu.accept()
  source:resolve(menu.shown[1], function(item)
    insert(item)
    source:execute(item, function() menu.shown = {} end)
  end)
end
"""
)

REAL_BLINK = """
vim.opt.runtimepath:append(%s)
require('blink.cmp').setup({
  enabled = function() return active == 'blink' end,
  fuzzy = { implementation = 'lua' },
  sources = {
    default = { 'copilot_server' },
    providers = {
      copilot_server = { name = 'copilot-server', module = 'copilot_server.sources.blink', async = true },
    },
  },
  completion = { documentation = { auto_show = true } },
})
menus.blink = {}
function menus.blink.entries()
  local cmp = require('blink.cmp')
  return vim.tbl_map(function(item)
    return { label = item.label, text = item.textEdit.newText, documentation = item.documentation.value }
  end, cmp.is_menu_visible() and cmp.get_items() or {})
end
function menus.blink.accept()
  require('blink.cmp').accept()
end
"""

REAL_CMP = """
vim.opt.runtimepath:append(%s)
vim.cmd.runtime('plugin/cmp.lua')
require('copilot_server.sources.cmp').register()
local cmp = require('cmp')
cmp.setup({ enabled = function() return active == 'cmp' end, sources = { { name = 'copilot_server' } } })
menus.cmp = {}
function menus.cmp.entries()
  return vim.tbl_map(function(entry)
    local item = entry.completion_item
    return { label = item.label, text = item.textEdit.newText, documentation = item.documentation.value }
  end, cmp.visible() and cmp.get_entries() or {})
end
function menus.cmp.accept()
  cmp.confirm({ select = true })
end
"""

#: The class that lualine's components extend, and what is drawn of one.
LUALINE = """
package.preload['lualine.component'] = function()
  local Base = {}
  function Base:extend()
    return setmetatable({ super = self }, { __index = self })
  end
  function Base:init(options)
    self.options = options
  end
  return Base
end
local component
package.preload.lualine = function()
  return { refresh = function() vim.o.statusline = 'status: ' .. component:update_status() end }
end
component = setmetatable({}, { __index = require('lualine.components.copilot_server') })
component:init({ icons_enabled = true })
vim.o.laststatus = 2
require('lualine').refresh()
"""

REAL_LUALINE = """
vim.opt.runtimepath:append(%s)
require('lualine').setup({
  options = { section_separators = '', component_separators = '' },
  sections = {
    lualine_a = {}, lualine_b = {}, lualine_c = { function() return 'status:' end, 'copilot_server' },
    lualine_x = {}, lualine_y = {}, lualine_z = {},
  },
})
"""


def _plugin(variable: str, real: str, stand_in: str) -> str:
    """Return the Lua that sets a plugin up: the checkout that a variable names, or else its stand-in."""
    checkout = os.environ.get(variable)
    lua = real % repr(checkout) if checkout else stand_in
    return f"do\n{lua}\nend\n"


#: The Lua that sets all of them up.
SETUP = MENUS + "".join(
    (
        _plugin("COPILOT_SERVER_BLINK", REAL_BLINK, BLINK),
        _plugin("COPILOT_SERVER_CMP", REAL_CMP, CMP),
        _plugin("COPILOT_SERVER_LUALINE", REAL_LUALINE, LUALINE),
    )
)
