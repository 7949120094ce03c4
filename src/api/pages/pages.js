// SPDX-License-Identifier: Apache-2.0
// The pages that links in mails open. The token comes in the fragment, which no server sees, and
// leaves the address bar at once, so that it stays in no history, bookmark or screenshot.
'use strict';

const pages = {
  'verify': {
    path: '/v1/email-verification/confirm',
    body: (token, password) => ({token, password}),
    done: 'Your address is confirmed. You can log in now.',
  },
  'reset': {
    path: '/v1/password-reset/confirm',
    body: (token, password) => ({token, new_password: password}),
    done: 'Your new password is set. You can log in with it now.',
  },
  'email-change': {
    path: '/v1/email-change/confirm',
    body: (token) => ({token}),
    done: 'Your new address is confirmed. Log in with it from now on.',
  },
  'email-undo': {
    path: '/v1/email-change/undo',
    body: (token) => ({token}),
    done: 'Your old address is back. Choose a new password now if the change was not yours.',
  },
};

const problems = {
  400: 'This link was used already or has expired. Ask for a new mail.',
  401: 'That is not the password that was chosen with this registration. Try again.',
  404: 'This service does not offer that yet.',
  429: 'Too many attempts. Wait a few minutes and try again.',
  503: 'The service is busy. Wait a moment and try again.',
};

const main = document.querySelector('main');
const page = pages[main.dataset.page];
const form = document.getElementById('form');
const button = form.querySelector('button');
const password = document.getElementById('password');
const show = document.getElementById('show');
const intro = document.getElementById('message').textContent;
let token = null;

function say(text, tone) {
  const message = document.getElementById('message');
  message.textContent = text;
  message.className = tone;
}

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  history.replaceState(null, '', location.pathname);
  if (given) token = given;
  form.hidden = !token;
  if (token) say(intro, '');
  else say('Open the link in your mail again: this address holds no token.', 'bad');
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

// What the answer means in words; the 422 of a password says what would be right.
async function explain(answer) {
  if (answer.status === 422) {
    const problem = await answer.json();
    return problem.errors?.map((e) => sentence(e.detail)).join(' ') || problem.detail;
  }
  return problems[answer.status] || 'Something went wrong. Try again later.';
}

async function send() {
  const answer = await fetch(page.path, {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify(page.body(token, password?.value)),
    credentials: 'omit',
    cache: 'no-store',
  });
  if (!answer.ok) {
    say(await explain(answer), 'bad');
    form.hidden = answer.status === 400 || answer.status === 404;
    return;
  }
  token = null;
  form.reset();
  form.hidden = true;
  say(page.done, 'good');
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  button.disabled = true;
  try {
    await send();
  } catch {
    say('The service cannot be reached. Try again later.', 'bad');
  }
  button.disabled = false;
});

show?.addEventListener('change', () => {
  password.type = show.checked ? 'text' : 'password';
});

addEventListener('hashchange', takeToken);
takeToken();
