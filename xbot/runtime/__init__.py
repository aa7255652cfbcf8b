"""A loaded responder at run time: its routes, scope, timers, child programs and answers."""
