"""The A/B protocol: before A frees a page, everybody on B who uses it has dropped it and has confirmed.

Several processes of B write to memory of A. A migrates and reclaims it meanwhile. Every take-back is a message to the holders of
that page and to nobody else; each drops its entry, lets its operations end, and confirms; then A's own table goes, and the page.
An access afterwards asks A, which establishes it anew. No operation meets a missing page: nothing is ever stalled, dropped or
restarted, and no byte is lost.
"""

from hwif.gen.hca import WcStatus
from sw_stack.drivers.hca import Mr
from sw_stack.drivers.hca.remote import Exporter, Importer
from sw_stack.workloads.hca_stage import ALL, BASE, ODP, PAGE, HcaNeeds, HcaStage, Port, pattern

PAGES = 6
USERS = 3
LATENCY = 2000  # cycles of a message
ROUNDS = 10
NEEDS = HcaNeeds()


async def play(stage: HcaStage) -> None:
    home = await stage.process(0, PAGES)
    exporter = await Exporter.open(home.driver, home.pd, BASE, PAGES * PAGE, ODP)
    users: list[tuple[Port, Mr, Importer]] = []
    for n in range(USERS):
        process = await stage.process(1, 1, tag=20 + n)
        port, _ = await stage.connect(process, home)
        users.append((port, await process.region(access=ALL), Importer(process.driver, exporter, latency=LATENCY)))

    async def use(n: int) -> None:
        """Each writes a part of its own of every page; an operation may span two."""
        port, mine, importer = users[n]
        for page in range(PAGES):
            place = BASE + page * PAGE + 512 * n
            async with importer.access(place, 512) as far:
                status = await port.write(mine, BASE, 512, far, place)
                stage.check(status is WcStatus.SUCCESS, "write of an importer", place, status.name)

    async def use_all() -> None:
        await stage.join(*(stage.spawn(port.process.cpu + 1 + n, use(n), f"importer {n}") for n, (port, _, _) in enumerate(users)))

    async def take_back() -> None:
        for page in range(PAGES):
            place = BASE + page * PAGE
            asked = exporter.revoked
            if page % 2:
                stage.saw("moved", int(await stage.machines[0].migrate_page(home.mm, place)))
            else:
                await stage.machines[0].reclaim(1)
            stage.saw("revoked", exporter.revoked - asked)

    for offset in stage.sweep(-20_000, 60_000, ROUNDS):
        for page in range(PAGES):
            await home.mm.store(BASE + page * PAGE, pattern(1 + page))
        await stage.meet(offset, use_all(), take_back())
        for page in range(PAGES):
            wanted = b"".join(pattern(20 + n, 512) for n in range(USERS)) + pattern(1 + page)[512 * USERS :]
            await stage.holds(home.mm, BASE + page * PAGE, wanted)
    faults = sum(driver.stats.fault_records for driver in stage.drivers)
    stage.check(faults == 0, "faults of operations that asked first", BASE, f"{faults}")
    stage.saw("established", sum(importer.established for _, _, importer in users))
    for _, _, importer in users:
        await importer.detach()
    await exporter.close()
    stage.expect("during", at_least=3)
    stage.expect("moved", at_least=ROUNDS)
    stage.expect("revoked", at_least=ROUNDS)
    stage.expect("established", at_least=2 * PAGES * USERS)
