// A worker in JavaScript: state is what the module keeps.
import { Counting } from 'lang:counter-stub/stub-counter';

let calls = 0;

export const talk = {
  greet(name) {
    calls += 1;
    return `hello ${name} from JavaScript, ${calls}`;
  },

  count(counter, value) {
    const client = new Counting({ value: counter });
    client.blockingAdd(value);
    const future = client.get();
    const ready = future.subscribe();
    ready.block();
    return future.get();
  },
};
