# SPDX-License-Identifier: Apache-2.0
"""The pages, in a real browser: the inbox, what links in mails open, the documentation."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from support.browser import Browser
from support.dev import Dev
from support.events import PASSWORD_RESET_REQUESTED
from support.journey import Person, confirm, login, new_password, new_person
from support.ledger import LEDGER
from support.poll import wait_until
from support.receiver import token_of


@pytest.fixture(scope="module")
def folder(scratch: Path) -> Path:
    made = scratch / "pages"
    made.mkdir()
    return made


@pytest.fixture(scope="module")
def dev(folder: Path) -> Iterator[Dev]:
    running = Dev(folder, folder / "data").wait_ready()
    yield running
    running.interrupt()


@pytest.fixture(scope="module")
def chromium(folder: Path) -> Iterator[Browser]:
    running = Browser(folder / "profile")
    yield running
    running.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Checks that the page broke no policy, threw nothing and asked no other host."""
    chromium.run("1")  # takes in what came behind the last test
    chromium.complaints.clear()
    chromium.requested.clear()
    yield chromium
    chromium.run("1")
    assert chromium.complaints == []
    hosts = {urlsplit(url).hostname for url in chromium.requested if url.startswith("http")}
    assert hosts <= {"127.0.0.1"}, hosts


def _register(dev: Dev) -> tuple[Person, str]:
    """And the link of the mail."""
    person = new_person()
    assert dev.api.post("/v1/register", person.credentials).status == 202
    link = dev.mail_link(person.email)
    LEDGER.add(token_of(link))
    return person, link


def _push(dev: Dev, action: str) -> None:
    url = dev.place("inbox") + "/controls"
    assert requests.post(url, json={"action": action}, timeout=10).status_code == 200


def test_from_the_inbox_to_an_account(dev: Dev, browser: Browser) -> None:
    browser.visit(dev.place("inbox"))
    person, link = _register(dev)
    browser.wait_text("article .to", person.email)
    browser.wait_text("article .facts", "signature valid")
    browser.wait_text("article .facts", "1 attempt")
    assert browser.run("document.querySelector('article .open').href") == link

    browser.visit(link)
    assert browser.run("location.href") == f"http://127.0.0.1:{dev.port}/verify"
    assert token_of(link) not in browser.run("document.documentElement.outerHTML")
    browser.type("#password", "not the right password")
    browser.click("button")
    browser.wait_text("#message", "not the password that was chosen")
    browser.type("#password", person.password)
    browser.click("button")
    browser.wait_text("#message", "Your address is confirmed")
    assert browser.text("#form") == ""
    login(dev.api, person)
    assert token_of(link) not in "".join(browser.requested).replace(link, "")

    browser.visit(link)
    browser.type("#password", person.password)
    browser.click("button")
    browser.wait_text("#message", "was used already or has expired")


def test_a_forgotten_password(dev: Dev, browser: Browser, folder: Path) -> None:
    person, link = _register(dev)
    confirm(dev.api, token_of(link), person.password)
    assert dev.api.post("/v1/password-reset", {"email": person.email}).status == 202
    link = dev.mail_link(person.email, PASSWORD_RESET_REQUESTED)
    LEDGER.add(token_of(link))
    browser.visit(dev.place("inbox"))
    browser.wait_text("article", "Choose a new password")

    browser.visit(link)
    assert browser.run("location.href") == f"http://127.0.0.1:{dev.port}/reset"
    assert token_of(link) not in browser.run("document.documentElement.outerHTML")
    browser.type("#password", "too short")
    browser.click("button")
    browser.wait_text("#message", "at least 15 characters")
    browser.type("#password", person.email)
    browser.click("button")
    browser.wait_text("#message", "Without your e-mail address in it")
    browser.screenshot(folder / "reset-refused.png")
    person.password = new_password()
    browser.type("#password", person.password)
    browser.click("button")
    browser.wait_text("#message", "Your new password is set")
    assert browser.text("#form") == ""
    browser.screenshot(folder / "reset-done.png")
    login(dev.api, person)
    assert token_of(link) not in "".join(browser.requested).replace(link, "")

    browser.visit(link)
    browser.type("#password", new_password())
    browser.click("button")
    browser.wait_text("#message", "was used already or has expired")


def test_a_link_without_a_token_says_so(dev: Dev, browser: Browser) -> None:
    for page in ("verify", "reset", "email-change", "email-undo"):
        browser.visit(f"http://127.0.0.1:{dev.port}/{page}")
        browser.wait_text("#message", "holds no token")
        assert browser.text("#form") == ""


@pytest.mark.parametrize("page", ["email-change", "email-undo"])
def test_what_is_not_offered_is_said(dev: Dev, browser: Browser, page: str) -> None:
    browser.visit(f"http://127.0.0.1:{dev.port}/{page}#token=ot1.k1.none.0.0")
    browser.click("button")
    browser.wait_text("#message", "does not offer that yet")


def test_a_second_token_in_the_same_tab_is_taken(dev: Dev, browser: Browser) -> None:
    browser.visit(f"http://127.0.0.1:{dev.port}/verify#token=first")
    browser.run("location.hash = '#token=second'")
    wait_until(lambda: browser.run("location.href").endswith("/verify"), "fragment removed")
    assert browser.run("token") == "second"


def test_the_buttons_make_the_receiver_misbehave(dev: Dev, browser: Browser) -> None:
    browser.visit(dev.place("inbox"))
    browser.click("[data-action=fail_next_three]")
    browser.wait_text("[data-action=fail_next_three]", "Failing the next 3")
    person, _ = _register_late(dev)
    browser.wait_text("article .to", person.email, 60)
    browser.wait_text("article .facts", "4 attempts")
    browser.wait_text("[data-action=fail_next_three]", "Fail the next three")

    browser.click("[data-action=answer_twice]")
    wait_until(lambda: browser.run(_is_on("answer_twice")), "button on")
    person, _ = _register(dev)
    browser.wait_text("article .to", person.email)
    browser.wait_text("article .facts", "2 attempts", 30)
    assert _count_mails(dev, person.email) == 1

    browser.click("[data-action=answer_slowly]")
    wait_until(lambda: browser.run(_is_on("answer_slowly")), "button on")
    assert browser.run(_pressed("answer_slowly")) == "true"
    browser.click("[data-action=answer_slowly]")
    wait_until(lambda: not browser.run(_is_on("answer_slowly")), "button off")


def _register_late(dev: Dev) -> tuple[Person, str]:
    person = new_person()
    assert dev.api.post("/v1/register", person.credentials).status == 202
    wait_until(lambda: _count_mails(dev, person.email) == 1, "mail taken", 60.0)
    return person, dev.mail_link(person.email)


def _is_on(action: str) -> str:
    return f"document.querySelector('[data-action={action}]').classList.contains('on')"


def _pressed(action: str) -> str:
    return f"document.querySelector('[data-action={action}]').getAttribute('aria-pressed')"


def _count_mails(dev: Dev, email: str) -> int:
    """As the list has it; the printed lines must be as many."""
    mails = requests.get(f"{dev.place('inbox')}/mails", timeout=10).json()
    listed = sum(mail["to"] == email for mail in mails)
    assert dev.output.read_text().count(f"mail to={email} ") == listed
    return listed


def test_a_slow_receiver_loses_nothing(dev: Dev) -> None:
    _push(dev, "answer_slowly")
    person, _ = _register(dev)
    _push(dev, "answer_at_once")
    assert _count_mails(dev, person.email) == 1


def test_an_event_with_a_wrong_signature_is_no_mail(dev: Dev, browser: Browser) -> None:
    event = {
        "id": "forged",
        "source": "http://127.0.0.1",
        "specversion": "1.0",
        "type": "com.mallhive.user.verification_requested.v1",
        "subject": "nobody",
        "data": {"email": "forged@example.com", "link": "javascript:alert(1)", "locale": None},
    }
    headers = {"webhook-id": "forged", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
    url = dev.place("inbox") + "/events"
    assert requests.post(url, json=event, headers=headers, timeout=10).status_code == 401
    browser.visit(dev.place("inbox"))
    browser.wait_text("article .facts", "signature too old")
    assert _count_mails(dev, "forged@example.com") == 0


def test_the_inbox_answers_to_its_own_name_only(dev: Dev) -> None:
    inbox = dev.place("inbox")
    elsewhere = requests.get(f"{inbox}/mails", headers={"Host": "evil.example"}, timeout=10)
    assert elsewhere.status_code == 421
    form = requests.post(f"{inbox}/controls", data='{"action": "answer_slowly"}', timeout=10)
    assert form.status_code == 415
    wrong = requests.post(f"{inbox}/controls", json={"action": "explode"}, timeout=10)
    assert wrong.status_code == 422
    assert requests.post(f"{inbox}/events", json={"a": 1}, timeout=10).status_code == 400
    assert requests.post(f"{inbox}/events", data=b"x" * 9000, timeout=10).status_code == 413
    assert requests.get(f"{inbox}/elsewhere", timeout=10).status_code == 404


def test_the_documentation_is_drawn(dev: Dev, browser: Browser) -> None:
    browser.visit(f"http://127.0.0.1:{dev.port}/docs")
    browser.wait_text("#swagger-ui", "/v1/register", 30)
    browser.run("location.hash = '#/account/register'")
    assert browser.run("typeof ui.getSystem") == "function"
