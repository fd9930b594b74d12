"""A worker in Python: state is what the module keeps."""

from wit_world import exports
from wit_world.imports.stub_counter import Counting
from wit_world.imports.types import Uri

calls = 0


class Talk(exports.Talk):
    def greet(self, name: str) -> str:
        global calls
        calls += 1
        return f"hello {name} from Python, {calls}"

    def count(self, counter: str, value: int) -> int:
        with Counting(Uri(counter)) as client:
            client.blocking_add(value)
            with client.get() as future:
                with future.subscribe() as ready:
                    ready.block()
                total = future.get()
        assert total is not None
        return total
