"""How each cause is fixed where nothing is known of the installation: for ``ot-doctor explain`` and the manual.

A report's own steps name its paths, containers and accounts. Here ``<…>`` is what the reader fills in, and commands are run in
the OpenTranscribe folder.
"""

from __future__ import annotations

from collections.abc import Mapping

from ot_doctor.check import Cause, Risk, Step

_TOKENS = "https://huggingface.co/settings/tokens"
_MODEL = "https://huggingface.co/<model>"
_ISSUES = "https://github.com/davidamacey/OpenTranscribe/issues"
_HUB_STATE = "https://status.huggingface.co"
_TOOLKIT = "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/latest/install-guide.html"
_BOX = "Read access to contents of all public gated repos you can access"
_HOSTS = "huggingface.co, *.hf.co and *.xethub.hf.co"

_ALONE = "--no-deps --pull never --no-build"  # no other service, and no newer image
_RECREATE = Step(
    "Recreate the worker so that it reads the new .env. A plain restart keeps the old values. Running jobs are interrupted. "
    "No other service is touched; your next plain 'up -d' recreates this one once more, and those with old values of .env.",
    f"docker compose up -d --force-recreate {_ALONE} celery-worker",
    risk=Risk.RESTARTS,
)
_START = Step(
    "Start the worker.", "docker compose up -d --no-recreate --pull missing --no-build celery-worker", risk=Risk.RESTARTS
)
_PULL = (
    Step("Name the image of your release in the Compose file, and fetch it.", "docker compose pull celery-worker"),
    Step(_RECREATE.text, _RECREATE.command, risk=Risk.RESTARTS),
)
_CREATE_TOKEN = Step("Create a token (type: Read).", url=_TOKENS)
_WRITE_TOKEN = Step(
    "Write it into .env as HUGGINGFACE_TOKEN=<token>, with no spaces, quotes or comment after it.", risk=Risk.CHANGES_FILES
)
_NEW_TOKEN = (_CREATE_TOKEN, _WRITE_TOKEN, _RECREATE)
_TEST_HUB = Step(
    "Test the connection from inside the container; 200 means that it works.",
    "docker exec opentranscribe-celery-worker python3 -c "
    "\"import urllib.request as u; print(u.urlopen('https://huggingface.co', timeout=10).status)\"",
)
_ONLY_WAIT = (Step("Wait some minutes, then run the job again. This page shows the state of Hugging Face.", url=_HUB_STATE),)
_LAST_LINES = Step("If it stops again, read its last lines.", "docker compose logs --tail 50 celery-worker")


def _edit(text: str) -> tuple[Step, ...]:
    """One change of a file that the worker then must read."""
    return Step(text, risk=Risk.CHANGES_FILES), _RECREATE


STEPS: Mapping[Cause, tuple[Step, ...]] = {
    Cause.OUT_OF_MEMORY: _edit(
        "Raise mem_limit of celery-worker, the memory of Docker Desktop or WSL, or the machine's; or set a smaller "
        "WHISPER_MODEL in .env."
    ),
    Cause.WORKER_DOWN: (_START, _LAST_LINES),
    Cause.BROKER_UNREACHABLE: (
        Step("Start Redis.", f"docker compose up -d {_ALONE} redis", risk=Risk.RESTARTS),
        _START,
        Step("If it still cannot connect, compare REDIS_PASSWORD in .env with the password that Redis was started with."),
    ),
    Cause.WRONG_FOLDER: (
        Step(
            "Either change the .env of the folder that the stack runs from (ot-doctor names it), or stop that stack in its own "
            "folder and start it here.",
            "docker compose up -d",
            risk=Risk.RESTARTS,
        ),
    ),
    Cause.ENV_UNREADABLE: _edit(
        "Make .env a plain UTF-8 text that Compose accepts: correct the line that ot-doctor names, restore a backup, "
        "or copy .env.example and fill it in."
    ),
    Cause.ENV_SHADOWED: _edit(
        "Delete what overrides the value: the later line of .env, the 'environment:' entry of the Compose file, or "
        "the variable of your shell."
    ),
    Cause.STALE_WORKER_ENV: (_RECREATE,),
    Cause.TOKEN_MISSING: _NEW_TOKEN,
    Cause.TOKEN_PLACEHOLDER: _NEW_TOKEN,
    Cause.TOKEN_MALFORMED: (
        Step(
            "Write the line in .env again: HUGGINGFACE_TOKEN=<token>, with no spaces, quotes or comment after it. If you "
            "do not have the token any more, create one (type: Read).",
            url=_TOKENS,
            risk=Risk.CHANGES_FILES,
        ),
        _RECREATE,
    ),
    Cause.TOKEN_INVALID: _NEW_TOKEN,
    Cause.CACHE_READONLY: _edit(
        "Remove ':ro' from the volume of the model cache in the Compose file. If it has none, the file system itself is mounted "
        "read-only: look for disk errors, then mount it for writing."
    ),
    Cause.CACHE_PERMISSION: (
        Step(
            "Give the model cache to user 1000, the worker's user; your own user id does not help.",
            "sudo chown -hR 1000:1000 <model-cache>",
            risk=Risk.CHANGES_FILES,
        ),
    ),
    Cause.DISK_FULL: (
        Step("Find the full file system and free space; 'df -i' shows whether inodes ran out.", "df -h"),
        Step("Run the job again: an interrupted download is continued."),
    ),
    Cause.SCRATCH_PERMISSION: (
        Step(
            "Give the volume for audio to user 1000 and group 999.",
            "sh scripts/fix-shared-volume-perms.sh",
            risk=Risk.CHANGES_FILES,
        ),
    ),
    Cause.TOKEN_SCOPE: (
        Step(f'Edit the token and tick "{_BOX}". The value stays the same. Or replace it by a token of type Read.', url=_TOKENS),
    ),
    Cause.GATED_NOT_ACCEPTED: (
        Step(
            'Log in as the account that the token belongs to, open the model page and click "Agree and access repository". '
            "The token stays; no restart is needed.",
            url=_MODEL,
        ),
    ),
    Cause.GATED_PENDING: (
        Step("Wait until the model's authors grant access: the model's page shows it. Then run the job again.", url=_MODEL),
    ),
    Cause.REPO_NOT_FOUND: _PULL,
    Cause.OFFLINE_CACHE_MISSING: (
        Step(
            "Either copy the whole models--… folders, with their links, from a machine that has them (tar, or rsync -a), or "
            "delete HF_HUB_OFFLINE from .env, so that the worker downloads them.",
            risk=Risk.CHANGES_FILES,
        ),
        _RECREATE,
    ),
    Cause.MODEL_CORRUPT: (
        Step(
            "Remove that model's folder from the cache, and nothing else.",
            "sudo rm -r <model-cache>/hub/models--<model>",
            risk=Risk.CHANGES_FILES,
        ),
        Step("Run the job again: it downloads the model."),
    ),
    Cause.CACHE_INCOMPLETE: (
        Step(
            "Move models that are in another folder to where the release looks: ot-doctor prints the command.",
            risk=Risk.CHANGES_FILES,
        ),
        Step("Run the job again: it completes an interrupted download, if the Hub can be reached."),
    ),
    Cause.CACHE_MISSING: (Step("Run a job: it downloads about 40 MB with the worker's token."),),
    Cause.CACHE_NOT_MOUNTED: _edit(
        "Delete the variable that moves the cache (HF_HOME, HF_HUB_CACHE, TORCH_HOME, PYANNOTE_CACHE), or mount the "
        "folder that it names."
    ),
    Cause.NETWORK_DNS: (
        Step(
            "Give the containers a DNS server that works: 'dns' in /etc/docker/daemon.json, then restart Docker; or 'dns:' "
            "of the service celery-worker in the Compose file.",
            risk=Risk.CHANGES_FILES,
        ),
        _RECREATE,
        _TEST_HUB,
    ),
    Cause.NETWORK_PROXY: (*_edit(f"Correct HTTP_PROXY, HTTPS_PROXY and NO_PROXY in .env, or have {_HOSTS} allowed."), _TEST_HUB),
    Cause.NETWORK_TLS: (
        *_edit(
            "Mount the certificate of the proxy that inspects the traffic into the worker, and name it in "
            "REQUESTS_CA_BUNDLE and SSL_CERT_FILE."
        ),
        _TEST_HUB,
    ),
    Cause.NETWORK_REFUSED: (
        *_edit(f"Allow {_HOSTS} in the firewall. If only large files fail, HF_HUB_DISABLE_XET=1 in .env is enough."),
        _TEST_HUB,
    ),
    Cause.NETWORK_TIMEOUT: (
        _TEST_HUB,
        *_edit(f"If it fails, allow {_HOSTS} in the firewall, or name your proxy in .env (HTTPS_PROXY)."),
    ),
    Cause.RATE_LIMITED: _ONLY_WAIT,
    Cause.HUB_UNAVAILABLE: _ONLY_WAIT,
    Cause.NATIVE_UNAVAILABLE: (
        Step("Start the engine's container.", f"docker compose up -d {_ALONE} diar-native", risk=Risk.RESTARTS),
        Step("If it has no models, this log says why ('provisioning').", "docker compose logs --tail 200 backend"),
    ),
    Cause.LIB_MISMATCH: _PULL,
    Cause.KNOWN_DEFECT: (
        Step("Read which model terms the newer release needs: from v0.4 on, those of speaker-diarization-community-1."),
        *_PULL,
    ),
    Cause.HARDWARE_UNSUPPORTED: _edit(
        "Use the image that is made for this GPU, or let the worker use the CPU (USE_GPU=false in .env)."
    ),
    Cause.GPU_LIBRARY: _edit(
        "Delete LD_LIBRARY_PATH from .env if it is there; update the driver, or use the image made for the GPU."
    ),
    Cause.GPU_UNAVAILABLE: (
        Step("List the GPUs of the machine.", "nvidia-smi -L"),
        Step("If Docker says 'could not select device driver', install the NVIDIA container toolkit.", url=_TOOLKIT),
        *_edit("Set GPU_DEVICE_ID in .env to one of the list, or let the worker use the CPU (USE_GPU=false)."),
    ),
    Cause.GPU_OUT_OF_MEMORY: _edit(
        "End other programs on the GPU, set a smaller WHISPER_MODEL in .env, or in v0.4 DIARIZATION_BATCH_SIZE=8."
    ),
    Cause.WORKER_CRASHED: (Step("Update the GPU's driver, and try another file."), *_PULL),
    Cause.TIME_LIMIT: (
        Step(
            "Find out whether the worker uses the GPU, and whether a shorter file succeeds.",
            "docker compose logs --tail 200 celery-worker",
        ),
    ),
    Cause.SPEAKERS_CONFIG: _edit(
        "Write bare whole numbers for MIN_SPEAKERS, MAX_SPEAKERS and NUM_SPEAKERS into .env, MIN not above MAX."
    ),
    Cause.DIARIZATION_DISABLED: (
        Step("Switch it on in the application, under Settings, Transcription, 'Speaker Diarization', then run the job again."),
    ),
    Cause.AUDIO_UNREADABLE: (Step("Play the file, or convert it to WAV. If another file succeeds, this one is damaged."),),
    Cause.TOKEN_EXPOSED: (
        Step("Let only the owner read .env.", "chmod 600 .env", risk=Risk.CHANGES_FILES),
        Step("If git tracks it, remove it from the index, and commit that.", "git rm --cached .env", risk=Risk.CHANGES_FILES),
        Step("If others were able to read it, replace the token (type: Read), and delete the old one.", url=_TOKENS),
    ),
    Cause.TOKEN_TOO_POWERFUL: (*_NEW_TOKEN, Step("Delete the old token.", url=_TOKENS)),
    Cause.UNRECOGNISED: (
        Step("Search for the line that the report shows, or report it without your token.", url=_ISSUES),
        Step("Attach what was looked at; it holds no secret.", "ot-doctor collect"),
    ),
}
