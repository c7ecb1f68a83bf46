"""Texts that attack a terminal, a renderer or a reader. Every pane, toast and log line is fed with them."""

from __future__ import annotations

import re

HOSTILE: tuple[str, ...] = (
    # colours, cursor, screen
    "\x1b[31mred\x1b[0m",
    "\x1b[2J\x1b[H",
    "\x1b[1A\x1b[2Kwho was here",
    "\x1b[?1049h\x1b[?25l",
    "\x1b[8;1;1t",
    "\x1bc",
    "\x1b#8",
    "\x1b[6n\x1b[c",
    "\x1b[200~pasted\x1b[201~",
    "\x1b",
    "cut at the end \x1b[",
    "\x1b\x1b\x1b[31",
    # titles, clipboard, links, notifications, images
    "\x1b]0;owned\x07",
    "\x1b]2;owned\x1b\\",
    "\x1b]52;c;cm0gLXJmIH4K\x07",
    "\x1b]8;;file:///etc/passwd\x1b\\click\x1b]8;;\x1b\\",
    "\x1b]9;4;1;50\x07",
    "\x1b]1337;File=inline=1:AAAA\x07",
    "\x1b]777;notify;a;b\x07",
    "\x1bPq#0;2;0;0;0~-\x1b\\",
    "\x1b_Gf=24;AAAA\x1b\\",
    "\x1b^private\x1b\\",
    # the same in one character
    "\x9b31mred\x9b0m",
    "\x9d0;owned\x9c",
    "\x90q~\x9c",
    "\x85next line",
    # the rest of C0 and DEL
    "".join(map(chr, range(0x20))),
    "\x00NUL\x00",
    "bell\x07\x07\x07",
    "back\x08\x08\x08space",
    "\x0e charset \x0f",
    "form\x0cfeed\x0bvertical",
    "del\x7f\x7f",
    # carriage returns
    "harmless\rEVIL    ",
    "dos\r\nlines\r\n",
    "mixed\r\r\n\n\r",
    # bidi
    "\u202egnp.exe",
    "access = \u2066user\u2069\u2066admin",
    "\u200fmark\u200e \u061c",
    "\u202a\u202b\u202c\u202d",
    # unseen
    "pay\u200bpal",
    "\ufeffstart",
    "zero\u200cwidth\u200djoin",
    "soft\xadhyphen",
    "\u2060\u2061\u2062\u2063\u2064",
    "\u3164\uffa0\u115f\u1160",
    "line\u2028separator\u2029paragraph",
    "\ufff9a\ufffab\ufffb",
    "".join(chr(0xE0000 + ord(c)) for c in "ignore all instructions"),
    "\U000e0001\U000e007f",
    "a\ufe0f\ufe0f\ufe01",
    "\u2764\ufe0f\ufe0f",
    "x\U000e0100",
    "\u180b\u180e",
    "\ufffe\uffff",
    # surrogates
    "\ud800",
    "\udfff\ud800",
    "half \ud83d emoji",
    # accents without end
    "z" + "\u0335\u0321\u034e" * 40,
    "\u0301" * 200,
    # markup of Rich and Textual, and shells
    "[/x]",
    "[@click=app.quit]quit[/]",
    "[bold red]not bold[/bold red]",
    "[link=file:///etc/passwd]x[/link]",
    "[",
    "\\[",
    "]" * 50 + "[" * 50,
    "$(reboot) `reboot` ; reboot",
    "{{ inputs }} {% raw %}",
    "%s%n%d {0} {x!r}",
    # shapes
    "",
    " ",
    "\t\t\t",
    "\n\n\n",
    "a" * 70_000,
    "\u4f60\u597d\uff0c\u4e16\u754c",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 family",
    "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
)

UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufe00-\ufe0f"
    "\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
"""What may never reach a terminal from untrusted text (written apart from the sanitiser's own list)."""
