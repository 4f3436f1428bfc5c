"""A harness of verifiers that is nothing but a chat."""

import openai
import verifiers.v1 as vf
from verifiers.v1.clients import ModelContext
from verifiers.v1.dialects.chat import message_to_wire
from verifiers.v1.errors import MODEL_TRANSPORT_ERROR_EXIT_CODE
from verifiers.v1.runtimes import ProgramResult, Runtime


class ChatHarnessConfig(vf.HarnessConfig):
    """Nothing to set."""


class ChatHarness(vf.Harness[ChatHarnessConfig]):
    """One reply of the model to the conversation so far, without tools.

    It runs in verifiers' own process. verifiers' ``null`` harness does the same in a program of its
    own for each reply, which needs ``uv`` and a second or so to start.
    """

    APPENDS_SYSTEM_PROMPT = True
    SUPPORTS_RESUME = True
    EXECUTES_CODE = False
    NEEDS_CONTAINER = False

    async def launch(
        self,
        ctx: ModelContext,
        trace: vf.Trace,
        runtime: Runtime,
        endpoint: str,
        secret: str,
        mcp_urls: dict[str, str],
        data: vf.TaskData,
    ) -> ProgramResult:
        """Ask for a reply at ``endpoint``, where verifiers records it."""
        system_prompt, prompt = self.resolve_prompt(data)
        messages = [{"role": "system", "content": system_prompt}] if system_prompt else []
        if isinstance(prompt, str):
            messages.append({"role": "user", "content": prompt})
        else:
            messages += [message_to_wire(message) for message in prompt or []]
        client = openai.AsyncOpenAI(base_url=endpoint, api_key=secret, timeout=None)
        try:
            async with client:
                await client.chat.completions.create(model=ctx.model, messages=messages)
        except openai.APIConnectionError as error:
            return ProgramResult(MODEL_TRANSPORT_ERROR_EXIT_CODE, "", str(error))
        except openai.OpenAIError as error:  # also where a limit of verifiers' ends the rollout
            return ProgramResult(1, "", str(error))
        return ProgramResult(0, "", "")
