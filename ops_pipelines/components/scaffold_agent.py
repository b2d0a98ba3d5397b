"""What a scaffolded agent's folder holds, as text in which `{name}` and its like are filled in: one that really runs."""

AGENT = """\
    name: {name}
    program: {module}.program:program
    toolset: {module}.tools:tools
    # policy, tasks and recorded runs lie in evals/agents/{name}/
    settings: {{enough: 3}} # what the program is given
    uses: [] # systems that it is pinned to, such as a Prompt that answers
    operates: [] # systems that it acts upon
    budgets:
      limit_usd: 1 # a run
      breaker: {{steps: 50}}
    evaluation: {{floors: {{success: 0.8}}, margin: 0.05}}
"""
AGENT_PROGRAM = '''\
    """What {name} does: rules, until a model is asked in their place."""

    from typing import Any

    from ops_pipelines.agentops.session import Session
    from ops_pipelines.agentops.tool_call import Denied


    def program(session: Session) -> dict[str, Any]:
        """Look at what the task is about, and order where there is too little of it.

        A call that a person has to approve comes back once that person has said yes or no.
        """
        found = session.tool("look", item=session.task["item"])
        if isinstance(found, Denied):
            return {{"gave_up": found.reason}}
        count = found.result["count"]
        if count >= session.settings["enough"]:
            return {{"done": "nothing", "count": count}}
        ordered = session.tool("order", item=found.result["item"])
        if isinstance(ordered, Denied):
            return {{"gave_up": ordered.reason}}
        return {{"done": ordered.result, "count": count}}
    '''
AGENT_TOOLS = '''\
    """The tools of {name}. Each says what a call of it does to the world: read, write, egress, money or destructive."""

    from typing import Annotated, Any

    from ops_pipelines.adapters.workbench import Workbench
    from ops_pipelines.agentops.claims import IDENTIFIER
    from ops_pipelines.agentops.tool_function import ToolFunction, tool_of


    def tools(bench: Workbench) -> list[ToolFunction]:
        """What {name} may ask for; `bench` reaches the platform."""
        orders = bench.platform.project.home / "{name}_orders.txt"

        def look(item: Annotated[str, IDENTIFIER]) -> dict[str, Any]:
            """How many there are of an item."""
            return {{"item": item, "count": len(item) % 5}}

        def order(item: Annotated[str, IDENTIFIER]) -> str:
            """Order more of an item."""
            with orders.open("a") as file:
                file.write(f"{{item}}\\n")
            return f"ordered {{item}}"

        # `trusted`: nobody outside can write into what it returns.
        return [tool_of(look, effect="read", trusted=True), tool_of(order, effect="write")]
    '''
AGENT_POLICY = """\
    // What {name} may do: nothing that no policy permits. `ops policy check` reads this, `ops policy explain` asks it.
    @id("reads") permit(principal, action, resource) when {{ resource.effect == "read" }};

    // An order waits for a person's yes.
    @id("orders are approved")
    permit(principal, action, resource == Tool::"order") when {{ context.approved }};

    // An id that nobody named is made up.
    @id("ids are traced") forbid(principal, action, resource) when {{ context.unseen.contains("id") }};
    """
AGENT_TASKS = """\
    # What {name} has to be good at, each in a world of its own: its tools answer what stands here, and nothing is touched.
    tasks:
      - id: too-few
        task: {{item: bolts}}
        world:
          - {{tool: look, answers: [{{result: {{item: bolts, count: 1}}}}]}}
          - {{tool: order, answers: [{{result: ordered bolts}}]}}
        person: approve
        expected:
          outcome: {{done: ordered bolts}}
          calls: [{{tool: look}}, {{tool: order, arguments: {{item: bolts}}}}]
          before: [[look, order]]
      - id: enough
        task: {{item: nuts}}
        world:
          - {{tool: look, answers: [{{result: {{item: nuts, count: 9}}}}]}}
        expected:
          outcome: {{done: nothing}}
          calls: [{{tool: look}}]
          never: [{{tool: order}}]
      - id: refused
        task: {{item: rivets}}
        world:
          - {{tool: look, answers: [{{result: {{item: rivets, count: 0}}}}]}}
        person: deny
        expected:
          outcome: {{}}
          calls: [{{tool: look}}, {{tool: order, arguments: {{item: rivets}}}}]
    """
