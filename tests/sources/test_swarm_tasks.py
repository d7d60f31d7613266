"""What a Swarm's manager says, put together: which task counts, and what is said where it is not understood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ot_doctor.evidence import Request, Role, Unavailable
from ot_doctor.evidence.workers import ComposeLabels, Worker
from ot_doctor.sources.docker import swarm
from tests.checks.evidence import ENGINE, worker

IMAGE = "davidamacey/opentranscribe-backend:v0.4.1"
MANAGER = replace(ENGINE, swarm="manager")
NODES = [
    {"ID": "n1", "Description": {"Hostname": "node-1"}, "Status": {"State": "ready"}},
    {"ID": "n3", "Description": {"Hostname": "node-3"}, "Status": {"State": "down"}},
]


def service(name: str = "ot_celery-worker", image: str = IMAGE, id: str = "s1") -> dict[str, Any]:
    return {"ID": id, "Spec": {"Name": name, "TaskTemplate": {"ContainerSpec": {"Image": image}}}}


def task(number: int, state: str, node: str = "n1", *, slot: int = 1, error: str = "", **more: Any) -> dict[str, Any]:
    status = {"State": state, "Err": error, "ContainerStatus": {"ContainerID": f"c{number}"}}
    at = f"2026-11-29T01:00:{number:02}Z"
    return {"ID": f"t{number}", "ServiceID": "s1", "CreatedAt": at, "Slot": slot, "NodeID": node, "Status": status, **more}


class Client:
    """A manager that says this."""

    def __init__(self, services: Any, tasks: Any = (), nodes: Any = NODES) -> None:
        self.api = self
        self.timeout = 1.0
        self._said = services, tasks, nodes

    def services(self) -> Any:
        return self._said[0]

    def tasks(self, filters: dict[str, Any]) -> Any:
        return [*self._said[1]] if isinstance(self._said[1], (list, tuple)) else self._said[1]

    def nodes(self) -> Any:
        return self._said[2]


def container(number: int, status: str = "running", **changes: Any) -> Worker:
    labels = ComposeLabels(stack="ot", swarm_service="ot_celery-worker")
    return worker(f"ot_celery-worker.1.t{number}", id=f"c{number}", status=status, compose=labels, engine=MANAGER, **changes)


def seen(client: Client, *containers: Worker, role: str = "manager", request: Request | None = None) -> Any:
    engine = replace(ENGINE, swarm=role)
    return swarm.seen_here(client, engine, request or Request(), list(containers))  # type: ignore[arg-type]


def test_a_task_that_was_replaced_is_no_worker_any_more() -> None:
    client = Client([service()], [task(1, "failed", error="exit 1"), task(2, "running")])
    kept, there = seen(client, container(1, "exited"), container(2), worker("backend", role=Role.OTHER, id="b"))
    assert ([one.id for one in kept], there) == (["c2", "b"], ())


def test_a_task_on_another_node_is_named() -> None:
    with pytest.raises(Unavailable) as caught:
        seen(Client([service()], [task(1, "shutdown"), task(2, "running")]), container(1, "exited"))
    assert "running on node-1" in caught.value.reason and caught.value.command == "ot-doctor --host ssh://node-1"
    assert caught.value.elsewhere and not caught.value.switched_off


def test_one_task_here_and_others_elsewhere() -> None:
    tasks = [task(1, "running"), task(2, "running", slot=2), task(3, "running", "n3", slot=3)]
    tasks.append(task(4, "running", DesiredState="remove"))
    kept, there = seen(Client([service()], tasks), container(1))
    assert [one.id for one in kept] == ["c1"]
    assert [(one.node, one.up) for one in there] == [("node-3", False), ("node-1", True)]


def test_a_task_that_fails_again_and_again() -> None:
    tasks = [task(1, "failed", error="exit (4)"), task(2, "rejected", error="No such image"), task(3, "pending", "")]
    _, (found,) = seen(Client([service()], tasks))
    assert (found.state, found.error, found.failures, found.node) == ("pending", "No such image", 2, "")
    assert found.said == "pending, on no node: No such image"


@pytest.mark.parametrize(
    "services", [[], [service("ot_backend")], [service(image="busybox")], [service("other_worker")], [{"ID": "s1"}]]
)
def test_other_services_are_passed_over(services: list[dict[str, Any]]) -> None:
    assert seen(Client(services, [task(1, "running")])) == ([], ())


def test_a_compose_stack_and_a_worker_that_was_named_are_looked_at_without_the_swarm() -> None:
    nobody = Client("not asked")
    compose = worker("opentranscribe-celery-worker", engine=MANAGER)
    assert seen(nobody, compose) == ([compose], ())
    assert seen(nobody, container(1), request=Request(workers=("x",)))[1] == ()
    assert seen(nobody, compose, role="") == ([compose], ())


def test_a_node_that_is_no_manager_says_who_knows() -> None:
    with pytest.raises(Unavailable, match="only a manager knows") as caught:
        seen(Client("not asked"), role="worker")
    assert caught.value.elsewhere
    assert seen(Client("not asked"), container(1), role="worker") == ([container(1)], ())


@pytest.mark.parametrize(
    ("services", "tasks", "nodes"),
    [
        ({}, [], []),
        ([5], [], []),
        ([service()], "x", NODES),
        ([service()], [task(1, "running")], [{"Description": {}}]),
        ([{"Spec": service()["Spec"]}], [], []),
    ],
)
def test_what_no_manager_says_is_not_understood(services: Any, tasks: Any, nodes: Any) -> None:
    with pytest.raises(Unavailable, match="not Docker's"):
        seen(Client(services, tasks, nodes))


def test_odd_values_are_left_out() -> None:
    odd = {"ServiceID": "s1", "CreatedAt": 5, "Slot": {}, "NodeID": [], "Status": "x"}
    _, (found,) = seen(Client([service()], [odd]))
    assert (found.state, found.node, found.error, found.up) == ("", "", "", False)


def test_a_proxy_that_refuses_to_say() -> None:
    refused = Unavailable("not allowed (403)", switched_off=True)
    client = Client([service()])

    def refuse() -> None:
        raise refused

    client.services = refuse  # type: ignore[method-assign]
    assert seen(client, container(1)) == ([container(1)], ())
    with pytest.raises(Unavailable, match="not allowed") as caught:
        seen(client, container(1, "exited"))
    assert not caught.value.switched_off, "nobody can say that all is well"
