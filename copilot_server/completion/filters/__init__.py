"""What becomes of a model's text before the editor shows it: small pure filters, one to a module.

``order`` applies them in their order and gives the reasons for it.
"""
