"""The room's server: a FastAPI app that the instructor starts with `make room`.

Everything that happens is a record in one log (`store`). `board` computes the state of
the room from it, `feed` follows the log and sends what has changed to the open streams
(`streams`). So several workers on one database show the same board.
"""
