/* The view that asks for the password. */

import { h, field, setText } from './dom.js';
import { post } from './api.js';
import { plural } from './format.js';

export const title = () => 'Log in';

/* Resolves once the password was right. */
export function open(main) {
  return new Promise((resolve) => {
    const problem = h('p', { class: 'error', role: 'alert' });
    const password = h('input', { type: 'password', name: 'password', autocomplete: 'current-password',
      required: true });
    const button = h('button', { class: 'primary' }, 'Log in');
    const submit = async (event) => {
      event.preventDefault();
      button.disabled = true;
      setText(problem, '');
      try {
        await post('/session', { password: password.value });
        resolve();
      } catch (error) {
        const wait = error.status === 429 && error.retryAfter
          ? ` Try again in ${plural(error.retryAfter, 'second')}.` : '';
        setText(problem, error.message + wait);
        password.select();
        password.focus();
      }
      button.disabled = false;
    };
    main.append(h('form', { class: 'login panel', onsubmit: submit },
      h('h1', { tabindex: -1 }, 'Log in'),
      // So that password managers know what the password is for
      h('input', { type: 'text', name: 'username', autocomplete: 'username', value: 'vitgate', hidden: true }),
      field('Password', password), problem, button));
    password.focus();
  });
}
