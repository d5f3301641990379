"""The room's server: a FastAPI app that the instructor starts with `make room`.

Everything that happens is a record in one log (`store`). `board` computes the room's
state from the log. `feed` follows the log and sends changes to the open streams
(`streams`). So several workers on one database show the same board.
"""
