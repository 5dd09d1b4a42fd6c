"""One vendor's API dialect per package: authenticate, translate in, call a verb, translate out.

A facade never imports a leg, an output or another facade.
"""
