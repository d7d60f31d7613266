"""The texts of the causes: what each means, why it breaks diarization, how it is found out, and how to fix it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ot_doctor.check import Cause


@dataclass(frozen=True)
class Meaning:
    """A cause's one short sentence, and its explanation."""

    title: str
    explanation: str


MEANINGS: Mapping[Cause, Meaning] = {
    Cause.OUT_OF_MEMORY: Meaning(
        "The worker was killed because memory ran out",
        """The machine or the container had no memory left, and the kernel ended the worker or one of its processes. The
container's OOM flag or 'signal 9' in the log shows it; exit code 137 alone may be a plain stop by hand. Raise the container's
memory limit (Docker Desktop and WSL have one of their own), or use a smaller WHISPER_MODEL.""",
    ),
    Cause.WORKER_DOWN: Meaning(
        "No diarization worker is running",
        """Diarization runs in the container of the service celery-worker, or of celery-worker-gpu-scaled. There is none, or
it is stopped, paused, restarting again and again, or unhealthy. The engine's state of the container shows it. Start the
service with 'docker compose up -d'. If it stops again, read its last log lines.""",
    ),
    Cause.BROKER_UNREACHABLE: Meaning(
        "The worker cannot reach Redis",
        """Jobs reach the worker through Redis, the broker. The worker's log ends with attempts to connect to it, so it gets
no jobs; a worker that started before Redis connects a little later. Redis is stopped, is out of memory, or has another
password than REDIS_PASSWORD in the .env. The connection to the Hub has nothing to do with it. Start the service redis, then
the worker.""",
    ),
    Cause.WRONG_FOLDER: Meaning(
        "The running stack was started from another folder",
        """Compose notes on the containers which folder a stack was started from. It is not the folder that you named or are
in, and the .env files of the two folders differ. Your edits here never reach the running worker. Either edit the .env of the
folder that the stack runs from, or stop that stack and start it from here.""",
    ),
    Cause.ENV_UNREADABLE: Meaning(
        "The .env cannot be read",
        """The .env is missing, unreadable, a folder, or not a text that Compose accepts (UTF-16, an unterminated quote,
binary data). Compose then starts nothing, or starts the worker without a token. The running worker keeps the values it was
created with. Either fix the file, or copy .env.example to .env and fill it in; then recreate the worker.""",
    ),
    Cause.ENV_SHADOWED: Meaning(
        "A later line (or setting) overrides the .env",
        """The .env has the right value, but something overrides it: a later line with the same name (even an empty one), an
'environment:' entry of the Compose file, or a variable of the shell if Compose reads that first. It is found by reading the
.env and the Compose files as Compose does. Comment out what overrides the value, then recreate the worker.""",
    ),
    Cause.STALE_WORKER_ENV: Meaning(
        "The worker still runs with an old value of the .env",
        """A container keeps the environment that it was created with. 'docker compose restart' and './opentr.sh restart-all'
do not change it. The value in the container was compared with the one that Compose would give it now, or two workers
disagree. Recreate the workers with 'docker compose up -d --force-recreate'.""",
    ),
    Cause.TOKEN_MISSING: Meaning(
        "The worker has no Hugging Face token",
        """Without a token the worker asks for the gated pyannote models anonymously, and is refused. OpenTranscribe reads
HUGGINGFACE_TOKEN and no other name; HF_TOKEN alone does not count. The container's environment was checked first, then the
.env. Write the token to the .env and recreate the worker.""",
    ),
    Cause.TOKEN_PLACEHOLDER: Meaning(
        "The token is still the example value",
        """The value of HUGGINGFACE_TOKEN is the one that a template or a guide shows, not your own token. Create a token
(type: Read) in the settings of huggingface.co, write it to the .env, and recreate the worker.""",
    ),
    Cause.TOKEN_MALFORMED: Meaning(
        "The value of HUGGINGFACE_TOKEN is not a token",
        """A token is 'hf_' followed by letters and digits. This value has something else in it: quotes, a space, a line
break, a comment, an invisible character, the variable's name a second time, or it is an organisation's token. The Hub rejects
it, and pyannote silently ignores a value that does not begin with hf_. Type the line again in the .env, then recreate the
worker.""",
    ),
    Cause.TOKEN_INVALID: Meaning(
        "Hugging Face rejects the token",
        """The value looks like a token, but the Hub does not know it (any more): it was deleted, has expired, or was mistyped
or cut off. The Hub was asked with the worker's own token, or the log shows the refusal. Accepting model terms does not help
here. Create a new token (type: Read), replace the old one in the .env, and recreate the worker.""",
    ),
    Cause.CACHE_READONLY: Meaning(
        "Models must be downloaded, but the cache is read-only",
        """The worker lacks a model and cannot store it: the mount has ':ro', or the file system under it is mounted read-
only, which also happens after a disk error. A read-only cache that is complete is no problem. Either remove ':ro' from the
volume in the Compose file and recreate the worker, or mount the file system writable again.""",
    ),
    Cause.CACHE_PERMISSION: Meaning(
        "The worker cannot read or write its model cache",
        """The worker runs as user id 1000, with a group that is not 1000. It cannot read a model that is there, or cannot
write where one must be downloaded. In OpenTranscribe's log this can look like model terms that were not accepted. The
container was asked, or owner and mode were checked. Give the folder to user id 1000; your own user id is wrong unless it is
the same.""",
    ),
    Cause.DISK_FULL: Meaning(
        "There is no disk space for the models",
        """The file system of the model cache has no free space, or no free inodes, and a model must still be downloaded. The
diarization models need about 40 MB; the transcription models need some gigabytes. Free space was read from the file system,
or the log says 'No space left on device'. Free space, then run the job again: an interrupted download is resumed.""",
    ),
    Cause.SCRATCH_PERMISSION: Meaning(
        "The worker cannot read or write the volume for audio",
        """From v0.5 on the workers exchange audio through the volume pipeline_scratch, at /scratch/opentranscribe. It must
belong to user 1000 and group 999, and it does not. The log says 'Permission denied' for a path in it. It is not the model
cache, and it has nothing to do with the token or the model terms. Either run scripts/fix-shared-volume-perms.sh of the
OpenTranscribe folder, or give the volume to 1000:999.""",
    ),
    Cause.TOKEN_SCOPE: Meaning(
        "The fine-grained token lacks permission for gated models",
        """The Hub accepts the token, but it is fine-grained and lacks the permission for public gated repositories. Accepting
model terms does not help. Either edit the token in the settings of huggingface.co and tick 'Read access to contents of all
public gated repos you can access', or use a token of the type Read.""",
    ),
    Cause.GATED_NOT_ACCEPTED: Meaning(
        "Your Hugging Face account has not accepted a model's terms",
        """pyannote's models are gated: the account that owns the token must accept the terms of each one. v0.4 needs
speaker-diarization-community-1, which the setup guide does not name; v0.1 to v0.3 need speaker-diarization-3.1 and
segmentation-3.0. A file of the model was requested with the worker's token. Open the model's page and click "Agree and access
repository"; the token stays the same.""",
    ),
    Cause.GATED_PENDING: Meaning(
        "The request for access to a model is not granted yet",
        """The account that owns the token has requested access, but the model's authors have not answered yet. pyannote
grants access to its own models at once, so a pending request may be for another model. Wait until it is granted, then run the
job again.""",
    ),
    Cause.REPO_NOT_FOUND: Meaning(
        "A model does not exist under that name",
        """The Hub knows no repository, revision or file of that name, or it is private. OpenTranscribe's own model names are
fixed, so the reason is an edited setting, an older release or a moved model. Use the published image of your release.""",
    ),
    Cause.OFFLINE_CACHE_MISSING: Meaning(
        "Offline mode is on, but a model is not completely cached",
        """HF_HUB_OFFLINE (or a similar setting) forbids downloads, so every file of the model must be in the cache. Some are
not: they were never copied, or a copy lost the links from 'snapshots' to 'blobs'. Each needed file was checked. Either copy
the whole models--… folder from a connected machine, with its links (tar, or rsync -a), or switch offline mode off.""",
    ),
    Cause.MODEL_CORRUPT: Meaning(
        "A cached model file is not a model",
        """The file is there under the right name, so the worker loads it, but it contains something else: a git-lfs pointer,
an HTML page, nothing, or only a part. Its size and first bytes were checked, or loading it failed in the log. Remove that
model's folder from the cache and run the job again: it is downloaded again.""",
    ),
    Cause.CACHE_INCOMPLETE: Meaning(
        "The model cache is incomplete",
        """A download or a copy was interrupted, links lead nowhere, or the models are in a folder where no release looks: the
setup guide's tar recipe unpacks them under home/…/.cache/torch/pyannote. Each file that the release needs was checked. Move
misplaced models to the right folder; the next job completes an interrupted download if the Hub can be reached.""",
    ),
    Cause.CACHE_MISSING: Meaning(
        "The models are not cached yet",
        """None of the model's files is in the cache. That is normal before the first job, which downloads about 40 MB with
the worker's token. It is a failure only if nothing would download them.""",
    ),
    Cause.CACHE_NOT_MOUNTED: Meaning(
        "The model cache is not on a volume of the machine",
        """The folder where the worker keeps its models is not on a volume, or not under MODEL_CACHE_DIR. Each new container
downloads the models again, and a folder that was prepared elsewhere is not used. Where the worker cannot read or write the
other folder, every job fails. The container's mounts were compared with where its release looks. Either remove the variable
that moves the cache (HF_HOME, HF_HUB_CACHE, TORCH_HOME, PYANNOTE_CACHE), or mount that folder; then recreate the worker.""",
    ),
    Cause.NETWORK_DNS: Meaning(
        "The name of the Hugging Face Hub is not resolved",
        """The worker, or this machine, gets no address for the Hub. The container uses the engine's name server, which may
differ from the machine's (VPN, company network). Set 'dns' in /etc/docker/daemon.json or in the Compose file, and try again.""",
    ),
    Cause.NETWORK_PROXY: Meaning(
        "A proxy or a policy answers instead of the Hugging Face Hub",
        """A proxy setting is wrong, the proxy refuses, or a log-in page or company policy answers instead of the Hub. Then
nothing is known about the token and the model terms. Either fix HTTP_PROXY, HTTPS_PROXY and NO_PROXY, or have the Hub
allowed.""",
    ),
    Cause.NETWORK_TLS: Meaning(
        "The encrypted connection to the Hugging Face Hub fails",
        """The certificate is not accepted, or the handshake breaks. Usually a company proxy inspects the traffic with a
certificate of its own. Mount that certificate into the worker and name it in REQUESTS_CA_BUNDLE and SSL_CERT_FILE.""",
    ),
    Cause.NETWORK_REFUSED: Meaning(
        "The connection to the Hugging Face Hub is refused or cut",
        """A firewall, a router or a missing route ends the connection. Large files come from other hosts (*.xethub.hf.co), so
small files can work while weights do not. Either allow those hosts, or set HF_HUB_DISABLE_XET=1.""",
    ),
    Cause.NETWORK_TIMEOUT: Meaning(
        "The Hugging Face Hub does not answer in time",
        """The connection times out while it is opened or read: a firewall drops packets, or the line is very slow. Test it
from inside the container; the machine itself may have another route.""",
    ),
    Cause.RATE_LIMITED: Meaning(
        "The Hugging Face Hub limits the number of requests",
        """The Hub answered 429: too many requests from this address or account. Nothing is wrong with the token or the model
terms. Wait some minutes and run the job again; requests with a token have a higher limit.""",
    ),
    Cause.HUB_UNAVAILABLE: Meaning(
        "The Hugging Face Hub has an outage",
        """The Hub answered with a server error (5xx). Nothing is wrong with the installation, and nothing is known about the
token and the model terms. See https://status.huggingface.co and run the job again later.""",
    ),
    Cause.NATIVE_UNAVAILABLE: Meaning(
        "The native diarization engine is not available",
        """From v0.5 on a separate container, diar-native, does the diarization. It is stopped, not ready, or has no models.
PyAnnote in the worker does its work, slower, unless ENGINE_DIARIZER_REQUIRE_SIDECAR=true forbids it: then every job fails.
Start the container. If its models are missing, the log of the service backend says why they were not created
('provisioning').""",
    ),
    Cause.LIB_MISMATCH: Meaning(
        "The worker's libraries do not fit together",
        """A module is missing, or one library calls another in a way that no longer exists. It happens in images that were
built locally, later than the release. It has nothing to do with the token or the model terms. Use the published image of your
release.""",
    ),
    Cause.KNOWN_DEFECT: Meaning(
        "The installed release has a defect that a later one has fixed",
        """The log shows a defect of OpenTranscribe itself, which no setting, token or accepted terms can change. A later
release has fixed it. Check which model terms that release needs, then update to it.""",
    ),
    Cause.HARDWARE_UNSUPPORTED: Meaning(
        "The processor or the GPU lacks what the image needs",
        """The image's libraries were built for newer hardware, or for older: the processor has no AVX, the GPU's compute
capability (sm_…) is not among those that PyTorch was built for, or it cannot calculate with float16. Either use the image
that is made for the GPU, or let the worker use the CPU, or use another machine. It has nothing to do with the token or the
model terms.""",
    ),
    Cause.GPU_LIBRARY: Meaning(
        "CUDA or cuDNN libraries are missing or do not match",
        """PyTorch or CTranslate2 cannot load a CUDA or cuDNN library, or the library does not know this GPU. An
LD_LIBRARY_PATH in the .env hides the image's own libraries. Either remove it, or update the driver, or use the image that is
made for the GPU.""",
    ),
    Cause.GPU_UNAVAILABLE: Meaning(
        "A GPU is configured, but the worker does not have it",
        """The Compose files or the settings ask for a GPU, but the container was given none, the engine cannot provide it, or
PyTorch sees none. Install the NVIDIA container toolkit, name a device that exists ('nvidia-smi -L'), and recreate the worker.""",
    ),
    Cause.GPU_OUT_OF_MEMORY: Meaning(
        "The GPU's memory ran out",
        """The models and the audio did not fit, and a smaller batch did not help either. Set a smaller WHISPER_MODEL or, from
v0.4 on, DIARIZATION_BATCH_SIZE=8, stop other programs on the GPU, and recreate the worker. It has nothing to do with the
token or the model terms.""",
    ),
    Cause.WORKER_CRASHED: Meaning(
        "The worker's process crashed",
        """A library crashed in machine code: the process was ended by a signal that is not the memory killer's (SEGV, ABRT,
BUS, FPE). Possible reasons are libraries that do not fit together, a damaged driver or faulty memory. Use the published image
unchanged, update the driver, and check whether the same file crashes it again.""",
    ),
    Cause.TIME_LIMIT: Meaning(
        "A time limit ended the job",
        """Celery, or the application, ended the job because it took longer than is allowed. The log does not say what made it
slow: a CPU instead of a GPU, a GPU that other jobs use, a download that hangs, or a very long file. Check which engine and
device the worker uses, and try a shorter file.""",
    ),
    Cause.SPEAKERS_CONFIG: Meaning(
        "The speaker limits are not usable",
        """MIN_SPEAKERS, MAX_SPEAKERS and NUM_SPEAKERS must be whole numbers with MIN not above MAX. The worker reads them
with Python's int() at start-up and stops at anything else, such as a comment after the number. Write a plain number to the
.env and recreate the worker. v0.1 ignores the limits; from v0.4 on the settings of each user override them.""",
    ),
    Cause.DIARIZATION_DISABLED: Meaning(
        "Diarization is switched off",
        """The job ran with diarization off, so everything was given to SPEAKER_00. That is a setting of the user or the file
in the application, not in the .env. Switch it on under Settings, Transcription, 'Speaker Diarization'.""",
    ),
    Cause.AUDIO_UNREADABLE: Meaning(
        "The audio could not be decoded",
        """The file is damaged, empty, or of a kind that the worker's ffmpeg does not read. Try another file: if that works,
the first file is the problem, not the installation.""",
    ),
    Cause.TOKEN_EXPOSED: Meaning(
        "The token can be read by others",
        """The .env can be read by every user of the machine or is tracked by git, a log line shows the token, or a variable
that browsers receive contains it. Close the gap first, then replace the token: somebody may have copied it.""",
    ),
    Cause.TOKEN_TOO_POWERFUL: Meaning(
        "The token has write access; a read-only token is enough",
        """Diarization only downloads. Anybody who gets a token with write access can change your repositories. Create a token
(type: Read), replace this one, and delete it.""",
    ),
    Cause.UNRECOGNISED: Meaning(
        "The last diarization failed for a reason that ot-doctor does not know",
        """The worker's log shows a failed attempt, and neither a known log line nor anything else that was checked explains
it. The log's own lines are shown: search for them in the issues of OpenTranscribe and pyannote.audio, or report them there.""",
    ),
}
