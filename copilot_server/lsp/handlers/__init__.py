"""What the server does with each message: one module for each family of messages.

A module's ``HANDLERS`` maps the methods it handles to functions of a session and the message's parameters. A
handler of a request returns the answer or an awaitable of it. What it does before it returns happens before
the next message is read: a handler takes its snapshot of a document there, so that no later edit moves it.
"""
