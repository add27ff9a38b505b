"""The page: what the board shows, as HTML made on the server, and one stream of events. READ app.py FIRST.

    board -> view.look() -> one function a page (ROOMS of app.py) -> shell.document() -> guard -> browser
                                                     sse.Events -> static/page.js -> ?fragment=1 -> the same

Markup comes from report/markup.py alone, which escapes all text: no template engine is needed. Every page
reads without JavaScript. Nothing here writes: one POST there is, to log in where a token is asked for.
"""
