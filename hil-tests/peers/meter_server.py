#!/usr/bin/env python3
"""A Carlo Gavazzi EM540 made with pymodbus, so that a running site is fed by a server that is not ours.

Usage: meter_server.py [PORT]     PORT 0 (the default) takes a free one. Prints {"port": N}, then obeys lines on stdin:
  p WATTS      the power that the meter shows from now on (import positive)
  freeze       registers stop changing, answers go on
  thaw         they move again
End of input ends the server.

Registers (EM/ET300 and EM500 protocol, FC3 = FC4, 32-bit values low word first):
0x0B identity, 0x00 and up voltages, currents and powers, 0x28 total power in 0.1 W, 0x33 frequency in 0.1 Hz,
0x34 and 0x4E energies in 0.1 kWh, 0x53C frequency in mHz.
"""
import asyncio
import json
import random
import socket
import sys

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

HOLDING = 3


def low_word_first(value: int) -> list[int]:
    value &= 0xFFFFFFFF
    return [value & 0xFFFF, value >> 16]


def registers(watts: float, millihertz: int) -> dict[int, list[int]]:
    """The changing registers, by address."""
    third = low_word_first(round(watts * 10 / 3))
    amps = low_word_first(round(abs(watts) / 3 / 230 * 1000))
    voltages = low_word_first(2300) * 3 + low_word_first(4000) * 3
    # 0x0B is the identity when it is read alone; this server has one value for an address, so it is always the identity
    voltages[0x0B] = 1744
    return {
        0x0000: voltages + amps * 3 + third * 3 + third * 3 + low_word_first(0) * 3,
        0x0024: low_word_first(2300) + low_word_first(4000) + low_word_first(round(watts * 10)) * 2 + low_word_first(0),
        0x0033: [round(millihertz / 100)],
        0x053C: low_word_first(millihertz),
    }


async def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 0
    if port == 0:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
    device = SimDevice(id=1, simdata=[SimData(address=0, count=0x600, values=0, datatype=DataType.REGISTERS)])
    server = ModbusTcpServer(device, address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    state = {"watts": 0.0, "frozen": False}

    async def follow_stdin() -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            match line.decode().split():
                case ["p", watts]:
                    state["watts"] = float(watts)
                case ["freeze"]:
                    state["frozen"] = True
                case ["thaw"]:
                    state["frozen"] = False

    commands = asyncio.create_task(follow_stdin())
    announced = False
    while not commands.done():
        if not state["frozen"]:
            show = registers(state["watts"], 50_000 + random.randint(-20, 20))
            for address, words in show.items():
                await server.async_setValues(1, HOLDING, address, words)
        if not announced:
            print(json.dumps({"port": port}), flush=True)
            announced = True
        await asyncio.sleep(0.05)
    await server.shutdown()


asyncio.run(main())
