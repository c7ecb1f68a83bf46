"""Routes, one file per noun. Each takes the room and gives its handlers; `opt={"scope": …}` says what a token
needs (`app.check_scope`): without it a GET needs viewer, everything else admin."""
