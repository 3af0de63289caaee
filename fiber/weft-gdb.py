# SPDX-License-Identifier: MIT
#
# weft-gdb.py - fibers, for gdb: of a process or of its core file, with or
# without debug information, as long as weft's symbols have not been stripped.
#
#     (gdb) source /usr/local/share/weft/weft-gdb.py
#     (gdb) weft-ps             all fibers of all loops: what each waits for
#     (gdb) weft-bt 7           where fiber 7 is; 2.7: that of the 2nd loop only
#     (gdb) weft-bt all
#
# The library says in weft__layout what lies where (fiber/debug.c). Nothing in
# the process is called or changed. A parked fiber's frames are shown by an
# unwinder that takes the place of the selected thread's innermost frame: its
# caller is then the fiber.
import os
import struct
import time

import gdb
import gdb.unwinder


class Trouble(Exception):
    """Something to be told in one line."""


# --- memory and symbols

def read(address, size):
    return bytes(gdb.selected_inferior().read_memory(address, size))


def number(data, signed=False):
    order = 'big' if 'big endian' in gdb.execute('show endian', to_string=True) else 'little'
    return int.from_bytes(data, order, signed=signed)


def word(address):
    return number(read(address, POINTER))


def text(address, size=256):
    """A string of C's: what there is of it, since the page may end before."""
    found = b''
    while len(found) < size:
        byte = read(address + len(found), 1)
        if byte == b'\0':
            break
        found += byte
    return found.decode(errors='replace')


def address_of(symbol):
    try:
        return int(gdb.parse_and_eval("(unsigned long)&'%s'" % symbol))
    except gdb.error:
        raise Trouble('%s is not there: no weft in this process, or it is stripped' % symbol)


def is_code(address):
    return 'No symbol' not in gdb.execute('info symbol %d' % address, to_string=True)


POINTER = struct.calcsize('P')
ENTRY = 24 + 8


def layout():
    found, at = {}, address_of('weft__layout')
    while True:
        entry = read(at, ENTRY)
        name = entry[:24].rstrip(b'\0').decode()
        if not name:
            return found
        found[name] = number(entry[24:])
        at += ENTRY


# --- loops and fibers

class Loop:
    def __init__(self, address, index, where):
        self.address, self.index, self.where = address, index, where

    def word(self, member):
        return word(self.address + self.where['loop.' + member])

    def fibers(self):
        yield Fiber(self.address + self.where['loop.main'], self)
        at = self.word('all')
        while at:
            fiber = Fiber(at, self)
            at = fiber.word('older')
            if not fiber.is_('POOLED', 'GONE'):
                yield fiber

    def thread(self):
        """The thread that runs it, or None."""
        for thread in gdb.selected_inferior().threads():
            try:
                if number(thread.handle()[:POINTER]) == self.word('thread'):
                    return thread
            except (gdb.error, NotImplementedError):
                pass
        return None


class Fiber:
    def __init__(self, address, loop):
        self.address, self.loop, self.where = address, loop, loop.where
        self.block = read(address, self.where['fiber'])

    def bytes(self, member, size):
        at = self.where['fiber.' + member]
        return self.block[at:at + size]

    def word(self, member):
        return number(self.bytes(member, POINTER))

    def int64(self, member):
        return number(self.bytes(member, 8), signed=True)

    def byte(self, member):
        return self.bytes(member, 1)[0]

    def is_(self, *states):
        return self.byte('state') in [self.where[state] for state in states]

    def is_current(self):
        return self.loop.word('current') == self.address

    def name(self):
        raw = self.bytes('name', self.where['name']).split(b'\0')[0]
        return ''.join(c if c.isprintable() and c != '"' else '?'
                       for c in raw.decode(errors='replace'))

    def title(self):
        return 'fiber %d "%s"' % (self.int64('id'), self.name())

    def waits_for(self):
        kind = self.byte('waiting') // self.where['FOR']
        subject = self.int64('subject')
        what = text(word(address_of('weft__waits') + kind * POINTER))
        what = 'waits for ' + what.replace('%', str(subject))
        if kind in (self.where['INPUT'], self.where['OUTPUT']) and subject >= 0:
            what += ' on descriptor %d' % subject
        return what

    def state(self, now):
        if self.is_('PARKED'):
            since = (now - self.int64('parked_since')) // 1000000
            return '%s, since %d ms' % (self.waits_for(), since)
        if self.is_('DONE'):
            result = number(self.bytes('result', 4), signed=True)
            return 'has ended with %d, not joined' % result
        return 'runs' if self.is_('RUNNING') else 'is ready'

    def line(self, now):
        line = '%s %s' % (self.title(), self.state(now))
        if self.byte('canceled'):
            line += ', cancelled'
        if self.is_('PARKED') and self.int64('deadline') != 2 ** 63 - 1:
            line += ', deadline in %d ms' % (self.int64('deadline') - now // 1000000)
        stack = self.word('stack')
        if stack:
            low = word(stack + self.where['stack.low'])
            line += ', stack %d of %d KiB' % (high_water(low, stack) >> 10,
                                              (stack - low + 1023) >> 10)
        return line


def loops():
    where = layout()
    found, at = [], word(address_of('weft__loops'))
    while at:
        found.append(Loop(at, 0, where))
        at = found[-1].word('next_loop')
    found.reverse()     # the newest comes first
    for index, loop in enumerate(found):
        loop.index = index + 1
    return found


# --- what only the system, or only a core file, can tell

def is_live():
    try:
        return gdb.selected_inferior().connection.type == 'native'
    except AttributeError:
        return False


def clock(all_loops):
    """ns, by the clock of the loops: their last look at it, if it has stopped."""
    if is_live():
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    return max([number(read(loop.address + loop.where['loop.polled_at'], 8))
                for loop in all_loops])


def touched_pages(low, top, page):
    """One bool for each page of a stack, from the lowest."""
    try:
        if not is_live():
            raise OSError
        with open('/proc/%d/pagemap' % gdb.selected_inferior().pid, 'rb') as f:
            f.seek(low // page * 8)
            entries = f.read((top - low + page - 1) // page * 8)
        for (entry,) in struct.iter_unpack('=Q', entries):
            yield entry >> 62 != 0          # resident or swapped out
    except OSError:
        for at in range(low, top, page):    # what is not zero has been written
            try:
                yield any(read(at, min(page, top - at)))
            except gdb.error:
                yield False                 # not in the core file


def high_water(low, top):
    page = os.sysconf('SC_PAGESIZE')
    for i, touched in enumerate(touched_pages(low, top, page)):
        if touched:
            return top - low - i * page
    return 0


# --- registers of a context that is suspended

def from_asm_x86_64(sp):
    names = ('r15', 'r14', 'r13', 'r12', 'rbx', 'rbp', 'rip')
    registers = {name: word(sp + 8 * i) for i, name in enumerate(names)}
    registers['rsp'] = sp + 8 * len(names)
    return registers


def from_asm_aarch64(sp):
    registers = {'x%d' % (19 + i): word(sp + 8 * i) for i in range(12)}
    registers['pc'] = registers['x30']
    registers['sp'] = sp + 160
    return registers


def from_ucontext_x86_64(sp):
    names = ('r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15', 'rdi', 'rsi',
             'rbp', 'rbx', 'rdx', 'rax', 'rcx', 'rsp', 'rip')
    return {name: word(sp + 40 + 8 * i) for i, name in enumerate(names)}


def from_jmp_buf_x86_64(sp):
    names = ('rbx', 'rbp', 'r12', 'r13', 'r14', 'r15', 'rsp', 'rip')
    return {name: word(sp + 8 * i) for i, name in enumerate(names)}


def from_glibc_jmp_buf_x86_64(sp):
    """glibc turns three of them, with a secret of the process."""
    registers = from_jmp_buf_x86_64(sp)
    secret = word(int(gdb.parse_and_eval('(unsigned long)$fs_base')) + 0x30)
    for name in ('rbp', 'rsp', 'rip'):
        turned = registers[name]
        registers[name] = ((turned >> 17 | turned << 47) & (2 ** 64 - 1)) ^ secret
    return registers


def readers(asm):
    machine = gdb.selected_inferior().architecture().name()
    if machine == 'i386:x86-64':
        return ([from_asm_x86_64] if asm else []) + [
            from_ucontext_x86_64, from_jmp_buf_x86_64, from_glibc_jmp_buf_x86_64]
    if machine == 'aarch64' and asm:
        return [from_asm_aarch64]
    raise Trouble('contexts of %s are not known here' % machine)


def registers_of(fiber):
    """Whichever kind of context it is: the one that makes sense."""
    sp = fiber.word('sp')
    for reader in readers(fiber.where['asm']):
        try:
            registers = reader(sp)
            stack = registers['rsp' if 'rsp' in registers else 'sp']
            pc = registers['rip' if 'rip' in registers else 'pc']
            if abs(stack - sp) < 4096 and is_code(pc):
                return registers
        except gdb.error:
            pass
    raise Trouble('its registers are not to be found')


# --- backtraces

class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Caller(gdb.unwinder.Unwinder):
    """Makes a fiber the caller of the selected thread's innermost frame."""

    def __init__(self):
        super().__init__('weft')
        self.registers = None

    def __call__(self, frame):
        if self.registers is None or int(frame.read_register('sp')) != self.thread_sp:
            return None
        sp = frame.read_register('sp')
        pc = frame.read_register('pc')
        info = frame.create_unwind_info(FrameId(
            gdb.Value(self.lowest).cast(sp.type), pc))
        for name, value in self.registers.items():
            kind = frame.read_register(name).type
            info.add_saved_register(name, gdb.Value(value).cast(kind))
        return info

    def backtrace(self, registers):
        self.thread_sp = int(gdb.newest_frame().read_register('sp'))
        self.lowest = registers['rsp' if 'rsp' in registers else 'sp'] - 16
        self.registers = registers
        gdb.invalidate_cached_frames()
        try:
            return gdb.execute('backtrace', to_string=True)
        finally:
            self.registers = None
            gdb.invalidate_cached_frames()


caller = Caller()
gdb.unwinder.register_unwinder(None, caller, replace=True)


def without_first(backtrace):
    """Leaves frame 0 out, which is the thread's, and counts anew."""
    lines, keep = [], False
    for line in backtrace.splitlines():
        if line.startswith('#'):
            old, rest = line[1:].split(' ', 1)
            keep = old != '0'
            line = '#%-2d %s' % (int(old) - 1, rest.strip())
        if keep:
            lines.append(line)
    return '\n'.join(lines)


def backtrace_of_thread(loop):
    thread, before = loop.thread(), gdb.selected_thread()
    if thread is None:
        raise Trouble('it is where its thread is, which is not to be found')
    thread.switch()
    try:
        return gdb.execute('backtrace', to_string=True).rstrip()
    finally:
        before.switch()


def backtrace(fiber):
    if fiber.is_current():
        return backtrace_of_thread(fiber.loop)
    if fiber.is_('DONE'):
        return 'It has ended.'
    result = without_first(caller.backtrace(registers_of(fiber)))
    return result


# --- the commands

class Command(gdb.Command):
    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        try:
            if gdb.selected_thread() is None:
                raise Trouble('there is no process')
            self.run(argument.strip())
        except Trouble as trouble:
            raise gdb.GdbError(str(trouble))


class Ps(Command):
    """weft-ps: all fibers of all loops, and what each waits for."""

    def run(self, argument):
        all_loops = loops()
        if not all_loops:
            raise Trouble('no thread has a loop')
        now = clock(all_loops)
        for loop in all_loops:
            thread = loop.thread()
            print('loop %d%s' % (loop.index, ', thread %d' % thread.num if thread else ''))
            for fiber in loop.fibers():
                print('  ' + fiber.line(now))


class Bt(Command):
    """weft-bt ID | LOOP.ID | all: where a fiber, or each of them, is."""

    def run(self, argument):
        wanted = argument.split('.')
        if argument != 'all' and (len(wanted) > 2 or not all(w.isdigit() for w in wanted)):
            raise Trouble('weft-bt ID, weft-bt LOOP.ID or weft-bt all')
        found = [fiber for loop in loops() for fiber in loop.fibers()
                 if argument == 'all' or fiber.int64('id') == int(wanted[-1])
                 and (len(wanted) == 1 or loop.index == int(wanted[0]))]
        if not found:
            raise Trouble('there is no such fiber')
        for fiber in found:
            print('loop %d, %s' % (fiber.loop.index, fiber.title()))
            try:
                print(backtrace(fiber))
            except Trouble as trouble:
                print(str(trouble))
            print('')


Ps('weft-ps')
Bt('weft-bt')
