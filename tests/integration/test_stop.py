# SPDX-License-Identifier: Apache-2.0
"""SIGTERM: readiness goes first, requests under way are answered, then the process ends well."""

import http.client
import threading
import time

from support.client import Api
from support.journey import confirmed_person, new_email, new_password
from support.makers import ReceiverMaker, ServiceMaker
from support.poll import wait_until
from support.service import Service


class Load:
    """Clients on kept connections; each counts answers and what went wrong."""

    def __init__(self, service: Service, clients: int) -> None:
        self._api = Api("127.0.0.1", service.port)
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(clients)]
        self.answers: list[int] = []
        self.cut: list[str] = []
        self.sent_away = 0

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            body = {"email": new_email(), "password": new_password()}
            try:
                reply = self._api.post("/v1/register", body)
                self.answers.append(reply.status)
                if reply.headers.get("connection", "").lower() == "close":
                    self.sent_away += 1  # from here on a load balancer asks another replica
                    return
            except (OSError, http.client.HTTPException) as cut:
                self.cut.append(repr(cut))
                return


def test_no_request_is_cut(make_service: ServiceMaker, make_receiver: ReceiverMaker) -> None:
    service = make_service(make_receiver()).start()
    with Load(service, 8) as load:
        wait_until(lambda: len(load.answers) > 50, "answers")
        service.stop()
    assert set(load.answers) <= {202, 503}
    assert load.cut == []
    assert load.sent_away == 8


def test_not_ready_comes_first(make_service: ServiceMaker, make_receiver: ReceiverMaker) -> None:
    """The load balancer has to see it while requests are still served."""
    service = make_service(make_receiver()).start()
    assert service.process is not None
    seen: list[tuple[int, int]] = []
    service.process.terminate()
    while service.process.poll() is None:
        seen.append((service.ops_status("/readyz"), _status(service, "/livez")))
        time.sleep(0.005)
    assert (503, 200) in seen, seen
    assert service.process.returncode == 0
    service.process = None


def _status(service: Service, path: str) -> int:
    try:
        return service.api.get(path).status
    except (OSError, http.client.HTTPException):
        service.api.close()
        return 0


def test_idle_connections_do_not_hold_it_up(
    make_service: ServiceMaker, make_receiver: ReceiverMaker
) -> None:
    receiver = make_receiver()
    service = make_service(receiver).start()
    confirmed_person(service.api, receiver)
    idle = [http.client.HTTPConnection("127.0.0.1", service.port) for _ in range(50)]
    for connection in idle:
        connection.request("GET", "/livez")
        connection.getresponse().read()
    started = time.monotonic()
    service.stop()
    assert time.monotonic() - started < 30
    for connection in idle:
        connection.close()
