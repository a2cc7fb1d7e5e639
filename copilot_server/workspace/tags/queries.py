"""Which nodes of each grammar are definitions: tags queries.

They are modelled on the ``tags.scm`` that the grammars bring. Those also tag references, which cost time and
are not needed, and leave out type aliases, constants, fields and the members of enumerations.

Each pattern captures a definition as what it is, and its name: ``@function`` (a ``@method``, if it is in a
``@class``), ``@class``, ``@variable``, ``@field``, ``@impl`` for methods of a class that stands elsewhere,
and ``@scope`` for a namespace that is passed through.
"""

from __future__ import annotations

_SCRIPT = """
(function_declaration name: (identifier) @name) @function
(generator_function_declaration name: (identifier) @name) @function
(variable_declarator name: (identifier) @name) @variable
(method_definition name: (_) @name) @method
(class_declaration name: (_) @name) @class
(assignment_expression
  left: (member_expression
    object: [(identifier) (member_expression)] @exports property: (property_identifier) @name)
  right: [(arrow_function) (function_expression)]) @function
"""

JAVASCRIPT = f"{_SCRIPT}(field_definition property: (_) @name) @field"

TYPESCRIPT = f"""{_SCRIPT}
(function_signature name: (identifier) @name) @function
(abstract_class_declaration name: (_) @name) @class
(interface_declaration name: (_) @name) @class
(enum_declaration name: (_) @name) @class
(type_alias_declaration name: (_) @name value: (object_type) @body) @class
(type_alias_declaration name: (_) @name) @variable
(method_signature name: (_) @name) @method
(abstract_method_signature name: (_) @name) @method
(public_field_definition name: (_) @name) @field
(property_signature name: (_) @name) @field
(enum_body name: (property_identifier) @name @field)
(enum_assignment name: (_) @name) @field
"""

GO = """
(function_declaration name: (identifier) @name) @function
(method_declaration receiver: (parameter_list) @receiver name: (field_identifier) @name) @method
(type_spec name: (type_identifier) @name type: [(struct_type) (interface_type)] @body) @class
(type_spec name: (type_identifier) @name) @variable
(type_alias name: (type_identifier) @name) @variable
(const_spec name: (identifier) @name) @variable
(var_spec name: (identifier) @name) @variable
(field_declaration name: (field_identifier) @name) @field
(field_declaration !name type: (_) @embedded)
(method_elem name: (field_identifier) @name) @method
"""

RUST = """
(function_item name: (identifier) @name) @function
(function_signature_item name: (identifier) @name) @function
(struct_item name: (type_identifier) @name) @class
(enum_item name: (type_identifier) @name) @class
(union_item name: (type_identifier) @name) @class
(trait_item name: (type_identifier) @name) @class
(impl_item type: (_) @name) @impl
(mod_item name: (identifier) @name body: (_)) @scope
(type_item name: (type_identifier) @name) @variable
(const_item name: (identifier) @name) @variable
(static_item name: (identifier) @name) @variable
(macro_definition name: (identifier) @name) @function
(field_declaration name: (field_identifier) @name) @field
(enum_variant name: (identifier) @name) @field
"""

JAVA = """
(class_declaration name: (identifier) @name) @class
(interface_declaration name: (identifier) @name) @class
(enum_declaration name: (identifier) @name) @class
(record_declaration name: (identifier) @name) @class
(annotation_type_declaration name: (identifier) @name) @class
(method_declaration name: (identifier) @name) @method
(constructor_declaration name: (identifier) @name) @method
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @field
(constant_declaration declarator: (variable_declarator name: (identifier) @name)) @field
(enum_constant name: (identifier) @name) @field
"""

C = """
(function_definition declarator: (_) @declarator) @function
(declaration declarator: (_) @declarator) @variable
(struct_specifier name: (type_identifier) @name body: (_)) @class
(union_specifier name: (type_identifier) @name body: (_)) @class
(enum_specifier name: (type_identifier) @name body: (_)) @class
(type_definition
  type: [(struct_specifier !name body: (_) @body) (union_specifier !name body: (_) @body)
         (enum_specifier !name body: (_) @body)]
  declarator: (type_identifier) @name) @class
(type_definition declarator: (_) @declarator) @variable
(field_declaration declarator: (_) @declarator) @field
(enumerator name: (identifier) @name) @field
(preproc_def name: (identifier) @name) @variable
(preproc_function_def name: (identifier) @name) @function
"""

CPP = f"""{C}
(class_specifier name: (type_identifier) @name body: (_)) @class
(alias_declaration name: (type_identifier) @name) @variable
(concept_definition name: (identifier) @name) @variable
"""
