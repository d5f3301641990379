"""Apps that tamper with their tests, and honest apps that do unusual things."""

TESTS = '''\
import pytest

from workshop.testing import Gate, exchange

EXPECTED = {"free": 2}


def expected():
    return dict(EXPECTED)


@pytest.mark.step(1)
async def test_the_free_seats_are_shown(app, client):
    """A customer sees how many seats are free."""
    answer = await client.get("/seats")
    assert answer.status_code == 200, (
        f"GET /seats answered {answer.status_code}. Expected: 200."
    )
    assert answer.json() == expected(), (
        f"GET /seats said {answer.text}. Expected: 2 free seats."
    )


@pytest.mark.step(2)
async def test_the_venue_is_asked_elsewhere(app):
    """A waiting call does not block other calls."""
    venue = Gate("the venue", result=3)
    app.replace("ask_venue", venue.blocking)
    sold = exchange(app, "GET", "/sold")
    await venue.entered()
    assert venue.held is None, "The loop stood still. Expected: it goes on."
    venue.open()
    await sold.finished()
    assert sold.status == 200, f"It answered {sold.status}. Expected: 200."
    assert sold.json() == {"sold": 3}, f"It said {sold.json()}. Expected: 3."
'''

GOOD = """\
from fastapi import FastAPI

app = FastAPI()


def ask_venue():
    return 1


@app.get("/seats")
async def seats():
    return {"free": 2}


@app.get("/sold")
def sold():
    return {"sold": ask_venue()}
"""
# Wrong in the first step, wrong in the second.
FEWER = GOOD.replace('{"free": 2}', '{"free": 0}')
BLOCKING = GOOD.replace("def sold", "async def sold")

STEPS = ("test_the_free_seats_are_shown", "test_the_venue_is_asked_elsewhere")

# Finds an object of the test run by its class's name, wherever it is.
_SEARCH = """
import gc
def find(name):
    return [it for it in gc.get_objects() if type(it).__name__ == name]
"""
_FRAMES = """
import sys
def frames():
    frame = sys._getframe()
    while frame:
        yield frame
        frame = frame.f_back
"""
# Says, in the worker's name, that every test has passed, and that all is done.
_FORGE = f"""
import json, os
def forged():
    for name in {STEPS!r}:
        yield "start", dict(id=name, round=0)
        for when in ("setup", "call", "teardown"):
            yield "report", dict(id=name, round=0, when=when, outcome="passed")
    yield "round", dict(round=0)
    yield "done", {{}}
def lines():
    for event, facts in forged():
        yield json.dumps(dict(event=event, pid=os.getpid(), **facts)) + "\\n"
"""


def within_route(body: str, base: str = FEWER) -> str:
    """Return *base* with *body* executed at each request for the seats."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return base.replace("async def seats():\n", f"async def seats():\n{lines}")


def at_the_end(body: str, base: str = FEWER) -> str:
    """Return *base* with *body* executed at import."""
    return f"{base}\n{body}"


def on_the_test_file(body: str) -> str:
    """Return *body* with `file` as the path of the running test's file."""
    return f"""
import sys
file = next(
    m.__file__ for n, m in list(sys.modules.items())
    if n.rpartition(".")[2].startswith("test_") and getattr(m, "__file__", "")
)
{body}
"""


_TESTS_MODULE = """
import sys
tests = next(
    m for n, m in list(sys.modules.items())
    if n.rpartition(".")[2].startswith("test_") and hasattr(m, "EXPECTED")
)
"""

# Modules of the kit and of pytest, without their names in the app's code.
_UNNAMED = """
import sys
def found(last, name):
    return next(
        m for n, m in list(sys.modules.items())
        if n.rpartition(".")[2] == last and hasattr(m, name)
    )
"""

ATTEMPTS: dict[str, str] = {
    # ------------------------------------------------ a: pytest and its parts
    "pytest.Function.runtest does nothing": at_the_end(
        "import pytest\npytest.Function.runtest = lambda self: None"
    ),
    "pytest.Function.runtest, put back when it has run": at_the_end(
        "import pytest\n"
        "real = pytest.Function.runtest\n"
        "def runtest(self):\n"
        "    pytest.Function.runtest = real\n"
        "pytest.Function.runtest = runtest"
    ),
    "the code of pytest.Function.runtest": at_the_end(
        "import pytest\ndef nothing(self): pass\n"
        "pytest.Function.runtest.__code__ = nothing.__code__"
    ),
    "CallInfo.from_call swallows": at_the_end(
        "import pytest\n"
        "real = pytest.CallInfo.from_call.__func__\n"
        "def from_call(cls, func, when, reraise=None):\n"
        "    found = real(cls, func, when, reraise)\n"
        "    found.excinfo = None\n"
        "    return found\n"
        "pytest.CallInfo.from_call = classmethod(from_call)"
    ),
    "CallInfo hides its error": at_the_end(
        "import pytest\n"
        "pytest.CallInfo.excinfo = property(lambda s: None, lambda s, v: None)"
    ),
    "the runner calls nothing": at_the_end(
        "import _pytest.runner as r\n"
        "r.pytest_runtest_call.__code__ = (lambda item: None).__code__"
    ),
    "pluggy calls no implementation of runtest_call": at_the_end(
        "import pluggy._callers as c, pluggy._hooks as h\n"
        "real = c._multicall\n"
        "def multicall(name, impls, kwargs, first):\n"
        "    if name == 'pytest_runtest_call': return []\n"
        "    return real(name, impls, kwargs, first)\n"
        "import pluggy._manager as m\n"
        "m._multicall = multicall\n"
        "m.PluginManager._inner_hookexec = staticmethod(multicall)\n"
        "c._multicall.__code__ = c._multicall.__code__.replace(co_name='x')"
    ),
    "pluggy's HookCaller is another": at_the_end(
        "import pluggy\n"
        "real = pluggy.HookCaller.__call__\n"
        "def call(self, **k):\n"
        "    return [] if self.name == 'pytest_pyfunc_call' else real(self, **k)\n"
        "pluggy.HookCaller.__call__ = call"
    ),
    "anyio's runner does not run": at_the_end(
        "import anyio._backends._asyncio as a\n"
        "a.TestRunner.run_test = lambda *args, **kw: None"
    ),
    "anyio's plugin does not call": at_the_end(
        "import anyio.pytest_plugin as p\n"
        "p.pytest_pyfunc_call.__code__ = (lambda pyfuncitem: True).__code__"
    ),
    "a plugin registered with the running pytest": at_the_end(
        _FRAMES + "import pytest\n"
        "class Mine:\n"
        "    @pytest.hookimpl(tryfirst=True)\n"
        "    def pytest_pyfunc_call(self, pyfuncitem): return True\n"
        "for frame in frames():\n"
        "    if 'config' in frame.f_locals:\n"
        "        frame.f_locals['config'].pluginmanager.register(Mine())\n"
        "        break"
    ),
    "a plugin, reached through a traceback": at_the_end(
        "import pytest\n"
        "class Mine:\n"
        "    @pytest.hookimpl(tryfirst=True)\n"
        "    def pytest_pyfunc_call(self, pyfuncitem): return True\n"
        "try:\n    raise ValueError\n"
        "except ValueError as error:\n    frame = error.__traceback__.tb_frame\n"
        "while frame:\n"
        "    if 'config' in frame.f_locals:\n"
        "        frame.f_locals['config'].pluginmanager.register(Mine())\n"
        "        break\n"
        "    frame = frame.f_back"
    ),
    "a plugin, reached through inspect.stack()": at_the_end(
        "import inspect, pytest\n"
        "class Mine:\n"
        "    @pytest.hookimpl(tryfirst=True)\n"
        "    def pytest_pyfunc_call(self, pyfuncitem): return True\n"
        "for found in inspect.stack():\n"
        "    if 'config' in found.frame.f_locals:\n"
        "        found.frame.f_locals['config'].pluginmanager.register(Mine())\n"
        "        break"
    ),
    "a plugin, reached through a signal handler": at_the_end(
        "import signal, pytest\n"
        "class Mine:\n"
        "    @pytest.hookimpl(tryfirst=True)\n"
        "    def pytest_pyfunc_call(self, pyfuncitem): return True\n"
        "def found(number, frame):\n"
        "    while frame:\n"
        "        if 'config' in frame.f_locals:\n"
        "            frame.f_locals['config'].pluginmanager.register(Mine())\n"
        "            return\n"
        "        frame = frame.f_back\n"
        "signal.signal(signal.SIGTERM, found)\n"
        "signal.raise_signal(signal.SIGTERM)"
    ),
    # ------------------------------------------------ a: Python itself
    "len() and isinstance() of everybody": at_the_end(
        "import builtins, sys\n"
        "real = builtins.isinstance\n"
        "class Yes(dict):\n"
        "    __eq__ = lambda self, other: True\n"
        "builtins.dict = Yes\n"
    ),
    "json.loads() says what is wanted": at_the_end(
        "import json\njson.loads = lambda *a, **k: {'free': 2}"
    ),
    "the code of json.loads()": at_the_end(
        "import json\n"
        "def loads(s, *, cls=None, object_hook=None, parse_float=None,"
        " parse_int=None, parse_constant=None, object_pairs_hook=None, **kw):\n"
        "    return {'free': 2}\n"
        "json.loads.__code__ = loads.__code__"
    ),
    "a decoder of JSON that knows better": at_the_end(
        "import json\njson.decoder.JSONDecoder.decode = lambda *a, **k: {'free': 2}\n"
    ),
    "sys.settrace() skips lines": at_the_end(
        "import sys\n"
        "def trace(frame, event, arg):\n"
        "    if frame.f_code.co_name == 'test_the_free_seats_are_shown':\n"
        "        def local(frame, event, arg):\n"
        "            got = frame.f_locals.get('answer')\n"
        "            if got is not None: got._content = b'{\"free\":2}'\n"
        "            return local\n"
        "        return local\n"
        "sys.settrace(trace)"
    ),
    "sys.setprofile() alters results": at_the_end(
        "import sys\n"
        "def profile(frame, event, arg):\n"
        "    if event == 'return' and type(arg).__name__ == 'Response':\n"
        "        arg._content = b'{\"free\":2}'\n"
        "sys.setprofile(profile)"
    ),
    "threading.setprofile() for every thread": at_the_end(
        "import sys, threading\n"
        "def profile(frame, event, arg):\n"
        "    if event == 'return' and type(arg).__name__ == 'Response':\n"
        "        arg._content = b'{\"free\":2}'\n"
        "threading.setprofile(profile)\nsys.setprofile(threading.getprofile())"
    ),
    # ------------------------------------------------ a: looking for objects
    "gc: the recorder gets another channel": at_the_end(
        _SEARCH + "class Mute:\n"
        "    def __init__(self, real): self.real = real\n"
        "    def __getattr__(self, name): return getattr(self.real, name)\n"
        "    def send(self, event, **facts):\n"
        "        if event == 'report':\n"
        "            facts = {k: v for k, v in facts.items()"
        " if k in ('id', 'round', 'when')} | {'outcome': 'passed'}\n"
        "        self.real.send(event, **facts)\n"
        "for recorder in find('Recorder'):\n"
        "    recorder.channel = Mute(recorder.channel)"
    ),
    "gc: the channel says what is wanted": at_the_end(
        _SEARCH + _FORGE + "for channel in find('EventChannel'):\n"
        "    for event, facts in forged(): channel.send(event, **facts)\n"
        "    break"
    ),
    "gc: the tests' functions get other code": at_the_end(
        _SEARCH + "async def nothing(app, client): pass\n"
        "for it in find('function'):\n"
        "    if it.__name__ == 'test_the_free_seats_are_shown':\n"
        "        it.__code__ = nothing.__code__"
    ),
    "gc: the items get other functions": at_the_end(
        _SEARCH + "async def nothing(app, client): pass\n"
        "for it in find('Function'):\n"
        "    if it.name == 'test_the_free_seats_are_shown':\n"
        "        it.obj = nothing"
    ),
    "gc: constants of the test's code, by referents": at_the_end(
        _TESTS_MODULE + "import gc\n"
        "for it in gc.get_referents(vars(tests)):\n"
        "    if it == {'free': 2}: it['free'] = 0"
    ),
    "frames: the running test's own variables": within_route(
        "import sys\n"
        "frame = sys._getframe()\n"
        "while frame:\n"
        "    for value in list(frame.f_locals.values()):\n"
        "        if hasattr(value, '_recorded'): pass\n"
        "    if 'expected' in frame.f_globals:\n"
        "        frame.f_globals['expected'] = lambda: {'free': 0}\n"
        "    frame = frame.f_back\n"
        "import asyncio\n"
        "for task in asyncio.all_tasks():\n"
        "    for frame in task.get_stack():\n"
        "        frame.f_globals.get('EXPECTED', {}).update(free=0)"
    ),
    "frames: the channel says what is wanted": at_the_end(
        _FRAMES + _FORGE + "for frame in frames():\n"
        "    if 'channel' in frame.f_locals:\n"
        "        for event, facts in forged():\n"
        "            frame.f_locals['channel'].send(event, **facts)\n"
        "        break"
    ),
    "a coroutine's frame": within_route(
        "import asyncio\n"
        "for task in asyncio.all_tasks():\n"
        "    coro = task.get_coro()\n"
        "    while coro is not None:\n"
        "        frame = getattr(coro, 'cr_frame', None)\n"
        "        if frame and 'EXPECTED' in frame.f_globals:\n"
        "            frame.f_globals['EXPECTED']['free'] = 0\n"
        "        coro = getattr(coro, 'cr_await', None)"
    ),
    "every thread's frames": at_the_end(
        "import sys\n" + _FORGE + "for frame in sys._current_frames().values():\n"
        "    while frame:\n"
        "        if 'channel' in frame.f_locals:\n"
        "            for event, facts in forged():\n"
        "                frame.f_locals['channel'].send(event, **facts)\n"
        "        frame = frame.f_back"
    ),
    # ------------------------------------------------ a: the tests and their kit
    "the tests' expectation, by its name": at_the_end(
        _TESTS_MODULE + "tests.expected = lambda: {'free': 0}"
    ),
    "the tests' expectation, by its content": at_the_end(
        _TESTS_MODULE + "tests.EXPECTED['free'] = 0"
    ),
    "the tests' expectation, during a request": within_route(
        _TESTS_MODULE + "tests.EXPECTED['free'] = 0"
    ),
    "the tests' expectation, by its code": at_the_end(
        _TESTS_MODULE + "tests.expected.__code__ = (lambda: {'free': 0}).__code__"
    ),
    "another class of gates for the tests": at_the_end(
        _TESTS_MODULE + "class Gate(tests.Gate):\n"
        "    held = property(lambda s: None, lambda s, v: None)\n"
        "tests.Gate = Gate",
        BLOCKING,
    ),
    "a gate that never says that it was held": at_the_end(
        "import workshop.testing.sync.gate as g\n"
        "g.Gate.held = property(lambda s: None, lambda s, v: None)",
        BLOCKING,
    ),
    "a gate that takes every thread for another": at_the_end(
        "import workshop.testing.sync.gate as g\n"
        "import workshop.testing.sync.condition as c\n"
        "c.on_event_loop = g.on_event_loop = lambda: False",
        BLOCKING,
    ),
    "a gate, reached through its stand-in": BLOCKING.replace(
        '    return {"sold"',
        "    answer = {'sold': ask_venue()}\n"
        "    ask_venue.__self__.held = None\n"
        "    return answer\n"
        '    return {"sold"',
    ),
    "the response as the client sees it": at_the_end(
        "import httpx2\nhttpx2.Response.json = lambda self: {'free': 2}"
    ),
    "the client's transport": at_the_end(
        "import httpx2\n"
        "async def handle(self, request):\n"
        "    return httpx2.Response(200, json={'free': 2})\n"
        "httpx2.AsyncClient.send = lambda self, request, **k: handle(self, request)"
    ),
    "an exchange's answer": at_the_end(
        "import workshop.testing.app.exchange as e\n"
        "e.Exchange.json = lambda self: {'sold': 3}\n",
        BLOCKING.replace("ask_venue()}", "ask_venue() * 0}").replace(
            "async def sold", "def sold"
        ),
    ),
    "a closure of the kit": at_the_end(
        "import workshop.testing as kit\n"
        "real = kit.Gate.entered\n"
        "async def entered(self, *a, **k):\n"
        "    await real(self, *a, **k)\n"
        "    self.held = None\n"
        "kit.Gate.entered = entered",
        BLOCKING,
    ),
    "a gate that never says that it was held, unnamed": at_the_end(
        _UNNAMED + "found('gate', 'Gate').Gate.held = "
        "property(lambda s: None, lambda s, v: None)",
        BLOCKING,
    ),
    "a gate that takes every thread for another, unnamed": at_the_end(
        _UNNAMED + "found('condition', 'Condition').on_event_loop = lambda: False\n"
        "found('gate', 'Gate').on_event_loop = lambda: False",
        BLOCKING,
    ),
    "a gate's method, during a request": BLOCKING.replace(
        '    return {"sold"',
        _UNNAMED.replace("\n", "\n    ") + "\n    kit = found('gate', 'Gate')\n"
        "    kit.Gate.held = property(lambda s: None, lambda s, v: None)\n"
        '    return {"sold"',
    ),
    "an exchange's answer, unnamed": at_the_end(
        _UNNAMED + "found('exchange', 'Exchange').Exchange.json = "
        "lambda self: {'sold': 3}",
        GOOD.replace("ask_venue()}", "ask_venue() * 0}"),
    ),
    "the runner calls nothing, unnamed": at_the_end(
        _UNNAMED + "found('runner', 'pytest_runtest_call').__code__ = "
        "(lambda item: None).__code__"
    ),
    "a builtin of the client's module alone": at_the_end(
        _UNNAMED + "found('_models', 'Response').bytes = lambda it: b'{\"free\": 2}'\n"
        "found('decoder', 'JSONDecoder').len = lambda it: 0"
    ),
    "the recorder's own method": at_the_end(
        _UNNAMED + "it = found('recorder', '_facts_of')\n"
        "it._facts_of = lambda *a: {'outcome': 'passed'}"
    ),
    "the comparison itself": at_the_end(
        _UNNAMED + "import pytest\n"
        "it = found('integrity', 'watch')\n"
        "it._difference = lambda: lambda part: None\n"
        "it._has_code = lambda value: False\n"
        "pytest.Function.runtest = lambda self: None"
    ),
    "the comparison and the report of it": at_the_end(
        "import json, pytest, sys\n"
        "main = sys.modules['__main__']\n"
        "main.EventChannel.send = lambda *a, **k: None\n"
        "main.EventChannel._write = lambda *a, **k: None\n"
        "json.dumps = lambda it, **k: '{}'\n"
        "pytest.Function.runtest = lambda self: None"
    ),
    "events rewritten by JSON": at_the_end(
        "import json\n"
        "real = json.dumps\n"
        "def dumps(it, **k):\n"
        "    if isinstance(it, dict) and it.get('outcome') == 'failed':\n"
        "        it = {**it, 'outcome': 'passed'}\n"
        "    return real(it, **k)\n"
        "json.dumps = dumps"
    ),
    "another way to a method's object": BLOCKING.replace(
        '    return {"sold"',
        "    answer = {'sold': ask_venue()}\n"
        "    getattr(ask_venue, '__self__').held = None\n"
        "    return answer\n"
        '    return {"sold"',
    ),
    # ------------------------------------------------ a: the channel
    "forged lines on every descriptor": at_the_end(
        _FORGE + "for fd in range(3, 20):\n"
        "    try:\n"
        "        for line in lines(): os.write(fd, line.encode())\n"
        "    except OSError: pass"
    ),
    "forged lines from a thread": at_the_end(
        _FORGE + "import threading\n"
        "def write():\n"
        "    for fd in range(3, 20):\n"
        "        try:\n"
        "            for line in lines(): os.write(fd, line.encode())\n"
        "        except OSError: pass\n"
        "thread = threading.Thread(target=write); thread.start(); thread.join()"
    ),
    "forged lines from a forked child": at_the_end(
        _FORGE + "said = list(lines())\n"
        "if hasattr(os, 'fork') and not os.fork():\n"
        "    for fd in range(3, 20):\n"
        "        try:\n"
        "            for line in said: os.write(fd, line.encode())\n"
        "        except OSError: pass\n"
        "    os._exit(0)\n"
        "os.wait()"
    ),
    "forged lines through /proc": at_the_end(
        _FORGE + "for fd in os.listdir('/proc/self/fd'):\n"
        "    try:\n"
        "        with open(f'/proc/self/fd/{fd}', 'w') as pipe:\n"
        "            pipe.writelines(lines())\n"
        "    except (OSError, ValueError): pass"
    ),
    "forged lines, then the end of the process": at_the_end(
        _FORGE + "for fd in range(3, 20):\n"
        "    try:\n"
        "        for line in lines(): os.write(fd, line.encode())\n"
        "    except OSError: pass\n"
        "os._exit(0)"
    ),
    "forged lines at exit": at_the_end(
        _FORGE + "import atexit\n"
        "def write():\n"
        "    for fd in range(3, 20):\n"
        "        try:\n"
        "            for line in lines(): os.write(fd, line.encode())\n"
        "        except OSError: pass\n"
        "atexit.register(write)"
    ),
    # ------------------------------------------------ a: objects that lie
    "a status that equals every number": at_the_end(
        "class Status(int):\n"
        "    __eq__ = lambda self, other: True\n"
        "    __hash__ = int.__hash__\n"
        "@app.middleware('http')\n"
        "async def lie(request, call_next):\n"
        "    response = await call_next(request)\n"
        "    response.status_code = Status(404)\n"
        "    return response",
        GOOD,
    ),
    "a status that equals every number, past the framework": at_the_end(
        "class Status(int):\n"
        "    __eq__ = lambda self, other: True\n"
        "    __hash__ = int.__hash__\n"
        "    __int__ = __index__ = lambda self: 200\n"
        "real = app\n"
        "async def app(scope, receive, send):\n"
        "    async def lie(message):\n"
        "        if 'status' in message: message['status'] = Status(404)\n"
        "        await send(message)\n"
        "    await real(scope, receive, lie)",
        GOOD,
    ),
    "a body that lies": at_the_end(
        "class Body(bytes):\n"
        "    decode = lambda self, *a: '{\"free\": 2}'\n"
        "    __iter__ = lambda self: iter(b'{\"free\": 2}')\n"
        "    __add__ = __radd__ = lambda self, other: b'{\"free\": 2}'\n"
        "    __bytes__ = lambda self: b'{\"free\": 2}'\n"
        "real = app\n"
        "async def app(scope, receive, send):\n"
        "    async def lie(message):\n"
        "        if 'body' in message: message['body'] = Body(message['body'])\n"
        "        await send(message)\n"
        "    await real(scope, receive, lie)",
        FEWER,
    ),
    # ------------------------------------------------ b: files
    "the test file on disk": at_the_end(
        on_the_test_file(
            "text = open(file).read().replace('\"free\": 2', '\"free\": 0')\n"
            "open(file, 'w').write(text)"
        ),
        GOOD,
    ),
    "the test file on disk, by another process": at_the_end(
        on_the_test_file(
            "import subprocess\n"
            "subprocess.run([sys.executable, '-c',"
            ' f\'open({file!r}, "a").write("# mine")\'])'
        ),
        GOOD,
    ),
    "the test file on disk, by a shell": at_the_end(
        on_the_test_file("import os\nos.system(f'echo \"# mine\" >> {file}')"), GOOD
    ),
    "the test file replaced": at_the_end(
        on_the_test_file(
            "import os\n"
            "open(file + '.new', 'w').write(open(file).read() + '# mine')\n"
            "os.replace(file + '.new', file)"
        ),
        GOOD,
    ),
    "the test file removed": at_the_end(
        on_the_test_file("import os\nos.remove(file)"), GOOD
    ),
}

FAIR: dict[str, str] = {
    "logging set up anew": at_the_end(
        "import logging, logging.config\n"
        "logging.config.dictConfig({'version': 1, 'root': {'level': 'DEBUG'},"
        " 'disable_existing_loggers': True})\n"
        "logging.getLogger(__name__).warning('ready')",
        GOOD,
    ),
    "another timeout for every client": at_the_end(
        "import httpx2, httpx2._config\n"
        "httpx2._config.DEFAULT_TIMEOUT_CONFIG = httpx2.Timeout(30)",
        GOOD,
    ),
    "sys.setswitchinterval()": at_the_end(
        "import sys\nsys.setswitchinterval(0.001)", GOOD
    ),
    "gc.disable() and gc.freeze()": at_the_end(
        "import gc\ngc.disable()\ngc.freeze()\ngc.collect()", GOOD
    ),
    "every warning, or none": at_the_end(
        "import warnings\nwarnings.simplefilter('ignore')\n"
        "warnings.simplefilter('always')",
        GOOD,
    ),
    "warnings go to the log": at_the_end(
        "import logging\nlogging.captureWarnings(True)", GOOD
    ),
    "a hook for exceptions": at_the_end(
        "import sys, threading\n"
        "sys.excepthook = lambda *error: print(error)\n"
        "threading.excepthook = lambda args: print(args)\n"
        "sys.unraisablehook = lambda args: print(args)",
        GOOD,
    ),
    "a group of exceptions of one's own": at_the_end(
        "class Refusals(ExceptionGroup):\n"
        "    def derive(self, errors): return Refusals(self.message, errors)\n"
        "try:\n    raise Refusals('two', [ValueError(1), TypeError(2)])\n"
        "except* ValueError: pass\nexcept* TypeError: pass",
        GOOD,
    ),
    "a factory for tasks": within_route(
        "import asyncio\n"
        "asyncio.get_running_loop().set_task_factory("
        "lambda loop, coro, **k: asyncio.Task(coro, loop=loop, **k))",
        GOOD,
    ),
    "a policy for loops": at_the_end(
        "import asyncio\n"
        "class Policy(asyncio.DefaultEventLoopPolicy): pass\n"
        "asyncio.set_event_loop_policy(Policy())",
        GOOD,
    ),
    "context variables": within_route(
        "import contextvars\n"
        "request = contextvars.ContextVar('request')\n"
        "contextvars.copy_context().run(request.set, 1)",
        GOOD,
    ),
    "dataclasses, enumerations and named tuples": at_the_end(
        "import collections, dataclasses, enum, typing\n"
        "@dataclasses.dataclass(frozen=True, slots=True, order=True)\n"
        "class Seat:\n    row: int = 1\n"
        "class Kind(enum.StrEnum):\n    STALLS = enum.auto()\n"
        "Point = collections.namedtuple('Point', 'x y')\n"
        "Price = typing.NewType('Price', int)\n"
        "T = typing.TypeVar('T')\n"
        "assert Seat() == Seat() and Kind.STALLS == 'stalls'",
        GOOD,
    ),
    "imports for type checkers alone": at_the_end(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from nowhere import Nothing\n"
        "def f(x: 'Nothing') -> None: ...",
        GOOD,
    ),
    "a traceback that is logged": within_route(
        "import logging, traceback\n"
        "try:\n    1 / 0\n"
        "except ZeroDivisionError:\n"
        "    logging.exception('again')\n"
        "    traceback.print_exc()\n"
        "    traceback.format_exc()\n"
        "traceback.print_stack()",
        GOOD,
    ),
    "a signal's handler": at_the_end(
        "import signal\n"
        "def leave(number, frame): print('leaving')\n"
        "signal.signal(signal.SIGTERM, leave)",
        GOOD,
    ),
    "print() of rich": at_the_end(
        "import builtins\nfrom rich import print as rich_print\n"
        "builtins.print = rich_print\nprint('ready')",
        GOOD,
    ),
    "a file of its own": within_route(
        "import pathlib, tempfile\n"
        "pathlib.Path('/dev/null').write_text('one')\n"
        "folder = pathlib.Path(tempfile.mkdtemp())\n"
        "(folder / 'test_of_mine.py').write_text('one')\n"
        "(folder / 'test_of_mine.py').unlink()\n"
        "here = pathlib.Path(__file__).with_name('guests.csv')\n"
        "here.write_text('Ann'); here.rename(here.with_suffix('.old'))",
        GOOD,
    ),
    "another process": at_the_end(
        "import subprocess, sys\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)",
        GOOD,
    ),
    "a thread's tasks, listed": within_route(
        "import asyncio, threading\n"
        "print(len(asyncio.all_tasks()), threading.enumerate())\n"
        "asyncio.current_task().set_name('seats')",
        GOOD,
    ),
    "a renderer of its own for the framework": at_the_end(
        "import json\nfrom starlette.responses import JSONResponse\n"
        "JSONResponse.render = lambda self, content: json.dumps(content).encode()",
        GOOD,
    ),
    "a middleware, which imports late": at_the_end(
        "@app.middleware('http')\n"
        "async def pass_on(request, call_next):\n"
        "    response = await call_next(request)\n"
        "    response.headers['x-seats'] = 'yes'\n"
        "    return response",
        GOOD,
    ),
    "ASGI messages of its own kinds": at_the_end(
        "real = app\n"
        "async def app(scope, receive, send):\n"
        "    async def passed_on(message):\n"
        "        if 'body' in message: message['body'] = bytearray(message['body'])\n"
        "        if 'headers' in message:"
        " message['headers'] = tuple(map(tuple, message['headers']))\n"
        "        await send(message)\n"
        "    await real(scope, receive, passed_on)",
        GOOD,
    ),
}
