"""Texts like those of people at work, in three languages, the same on each run. How often a word comes is known.

`bench/history.py` searches for these words.
"""

import random
from collections.abc import Iterator
from itertools import accumulate, count
from typing import Final

EVERYWHERE: Final = "release"
"""A word in 20 % of the texts."""
OFTEN: Final = "миграция"
"""A word in 1 %."""
RARE: Final = "zanzibar"
"""A word in 0.001 %: in one of RARE_EVERY texts."""
PHRASE: Final = "rolled back again"
"""Three words one after the other in 1 %."""
UNSPACED: Final = "数据库"
"""Characters without spaces in 1 %."""
RARE_EVERY: Final = 100_000

_ENGLISH: Final = (
    "the to a of and is in it we for that on this with not be was are have you at but as if can so from they what will "
    "there all one about when which do need more then just now some would time should how only after also first think "
    "because other could work before please thanks check look here new server people see back make test where does "
    "good into right done today next start change build fix problem issue team meeting review branch merge deploy "
    "database customer report question answer morning tomorrow version error log line queue memory disk network client"
).split()
_RUSSIAN: Final = (
    "и в не на что я с это мы как по но за у так все из уже для если надо то только нас когда будет есть можно после "
    "сейчас ещё завтра сегодня сервер база работает готово спасибо проверил посмотри вопрос ответ отчёт клиент ошибка "
    "задача команда встреча очередь версия сборка ветка правка данные сеть память журнал строка начало конец время"
).split()
_CHINESE: Final = "我们今天明天开会讨论服务器数据系统问题已经解决谢谢请看一下这个报告客户需要更新测试完成时间工作"
_SHARES: Final = (0.6, 0.3)  # of English and of Russian; the rest is Chinese


def texts(seed: int = 1) -> Iterator[str]:
    """Yield texts of 1 to 25 words without end."""
    chance = random.Random(seed)  # the same on each run, and no secret
    english, russian = _weights(_ENGLISH), _weights(_RUSSIAN)
    for number in count(1):
        length, language = min(25, 1 + int(chance.expovariate(1 / 8))), chance.random()
        if language < _SHARES[0]:
            words = chance.choices(_ENGLISH, cum_weights=english, k=length)
        elif language < sum(_SHARES):
            words = chance.choices(_RUSSIAN, cum_weights=russian, k=length)
        else:
            words = ["".join(chance.choices(_CHINESE, k=2 * length))]
        if number % 5 == 0:
            words.append(EVERYWHERE)
        if number % 100 == 1:
            words.append(OFTEN)
        elif number % 100 == 2:
            words.append(PHRASE)
        elif number % 100 == 3:
            words.append(UNSPACED)
        if number % RARE_EVERY == RARE_EVERY // 20:
            words.append(RARE)
        yield " ".join(words)


def _weights(words: list[str]) -> list[float]:
    """Return the running sums of how often each word comes: the second half as often as the first, and so on (Zipf)."""
    return list(accumulate(1 / place for place in range(1, len(words) + 1)))
