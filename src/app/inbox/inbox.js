// SPDX-License-Identifier: Apache-2.0
// Asks for the deliveries each second and draws them anew when they changed. Text from events only
// ever becomes text nodes.
'use strict';

const POLL_MS = 1000;
const ours = ['attempts', 'signature', 'mail', 'taken', 'last_status', 'first_received_at', 'last_received_at'];

// What a mail of that type would say; other types are shown by their name.
const mails = {
  'user.verification_requested': ['Confirm your address', 'Open the link and enter the password that you chose.'],
  'user.registration_repeated': ['You already have an account', 'Somebody, perhaps you, tried to register with this address. Nothing was changed.'],
  'user.password_reset_requested': ['Choose a new password', 'Open the link to set one.'],
  'user.email_change_requested': ['Confirm your new address', 'Open the link to finish the change.'],
};

const byId = (id) => document.getElementById(id);
const shortType = (type) => type.replace(/^com\.mallhive\./, '').replace(/\.v1$/, '');
const clock = (time) => new Date(time).toLocaleTimeString();

function fact(list, text, tone) {
  const item = document.createElement('li');
  item.textContent = text;
  if (tone) item.className = tone;
  list.append(item);
}

function drawMail(section, entry) {
  const [title, text] = mails[shortType(entry.type)] || [shortType(entry.type), ''];
  const write = (place, words) => { section.querySelector(place).textContent = words; };
  section.classList.toggle('none', !entry.mail || !entry.taken);
  if (!entry.taken) {
    write('h2', entry.signature === 'valid' ? 'Not taken yet: the service delivers it again' : 'Refused');
    return;
  }
  if (!entry.mail) {
    write('h2', 'No mail: for other services');
    return;
  }
  write('.to', `To ${entry.data.email}`);
  write('h2', title);
  write('.text', text);
  drawLink(section.querySelector('.action'), entry.data.link);
}

function drawLink(place, link) {
  if (!/^https?:\/\//.test(link || '')) return;
  const anchor = document.createElement('a');
  const address = document.createElement('span');
  anchor.className = 'open';
  anchor.href = link;
  anchor.target = '_blank';
  anchor.rel = 'noopener noreferrer';
  anchor.textContent = 'Open the link';
  address.className = 'address';
  address.textContent = link;
  place.append(anchor, address);
}

function drawEvent(section, entry) {
  const facts = section.querySelector('.facts');
  const event = Object.fromEntries(Object.entries(entry).filter(([name]) => !ours.includes(name)));
  section.querySelector('.type').textContent = entry.type;
  fact(facts, `signature ${entry.signature}`, entry.signature === 'valid' ? 'good' : 'bad');
  fact(facts, entry.attempts === 1 ? '1 attempt' : `${entry.attempts} attempts`, entry.attempts === 1 ? '' : 'warn');
  fact(facts, `answered ${entry.last_status}`, entry.last_status < 300 ? '' : 'warn');
  fact(facts, clock(entry.first_received_at));
  section.querySelector('pre').textContent = JSON.stringify(event, null, 2);
}

function draw(entries) {
  const place = byId('deliveries');
  const opened = new Set([...place.querySelectorAll('article:has(details[open])')].map((a) => a.dataset.id));
  const drawn = entries.reverse().map((entry) => {
    const article = byId('delivery').content.firstElementChild.cloneNode(true);
    article.dataset.id = entry.id;
    article.querySelector('details').open = opened.has(entry.id);
    drawMail(article.querySelector('.mail'), entry);
    drawEvent(article.querySelector('.event'), entry);
    return article;
  });
  place.replaceChildren(...(drawn.length ? drawn : [byId('empty').content.cloneNode(true)]));
}

function drawControls(state) {
  for (const button of document.querySelectorAll('button')) {
    const action = button.dataset.action;
    const isOn = action === 'fail_next_three' ? state.fail_next > 0 : state[action];
    button.classList.toggle('on', isOn);
    if (button.dataset.off) button.setAttribute('aria-pressed', String(isOn));
    if (action === 'fail_next_three') {
      button.textContent = isOn ? `Failing the next ${state.fail_next}` : 'Fail the next three';
    }
  }
}

async function push(button) {
  const isOn = button.classList.contains('on');
  const action = isOn && button.dataset.off ? button.dataset.off : button.dataset.action;
  const answer = await fetch('/controls', {
    method: 'POST',
    headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({action}),
  });
  drawControls(await answer.json());
}

let etag = '';

async function poll() {
  const answer = await fetch('/events', {headers: etag ? {'If-None-Match': etag} : {}});
  if (answer.status === 200) {
    const entries = await answer.json();
    etag = answer.headers.get('ETag');
    say(entries.length === 1 ? '1 event' : `${entries.length} events`, false);
    draw(entries);
  }
  drawControls(await (await fetch('/controls')).json());
}

function say(text, isLost) {
  byId('status').textContent = text;
  byId('status').classList.toggle('lost', isLost);
}

async function run() {
  try {
    await poll();
  } catch {
    etag = '';
    say('The inbox does not answer: has user-service dev ended?', true);
  }
  setTimeout(run, POLL_MS);
}

for (const button of document.querySelectorAll('button')) {
  button.addEventListener('click', () => push(button).catch(() => say('The inbox does not answer.', true)));
}
run();
